"""Models in place of waffle's own, for the tests that plug some in."""

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from waffle.models import AbstractBaseSample, AbstractBaseSwitch, AbstractUserFlag


class Company(models.Model):
    name = models.CharField(max_length=100)


class CompanyUser(AbstractBaseUser):
    username = models.CharField(max_length=100)
    company = models.ForeignKey(Company, on_delete=models.CASCADE)

    USERNAME_FIELD = "username"


class CompanyAwareFlag(AbstractUserFlag):
    companies = models.ManyToManyField(Company, blank=True)

    def is_active_for_user(self, user):
        company = getattr(user, "company_id", None)
        return super().is_active_for_user(user) or (
            True if company and self.companies.filter(pk=company).exists() else None
        )


class CustomSwitch(AbstractBaseSwitch):
    pass


class CustomSample(AbstractBaseSample):
    pass
