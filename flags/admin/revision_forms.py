"""What operators type to compare revisions, and to say why they roll back."""

from __future__ import annotations

from django import forms
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget


class CompareForm(forms.Form):
    before = forms.IntegerField(min_value=1, widget=UnfoldAdminIntegerFieldWidget)
    after = forms.IntegerField(min_value=1, widget=UnfoldAdminIntegerFieldWidget)


class RollBackForm(forms.Form):
    """Going back, from the revision that was the newest when the page was made."""

    newest = forms.IntegerField(widget=forms.HiddenInput)
    comment = forms.CharField(
        max_length=500,
        required=False,
        label="Why",
        widget=UnfoldAdminTextInputWidget,
        help_text="For those who ask later.",
    )
