"""The project in which django-waffle's own tests run on our flag; `test_app` is their app."""
