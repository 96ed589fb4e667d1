"""HTTP only: it translates requests to the code below it and answers back."""
