"""Request and response models about accounts."""

from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    model_validator,
)

from storemon_api.http.schemas import ResponseBody
from storemon_api.stores.store_filters import is_storable
from storemon_pipeline.access.accounts import Role


def _line(text: str) -> str:
    line = text.strip()
    if not line or not is_storable(line):
        raise ValueError("An id or a name is at least one character that can be stored")
    return line


_Line = Annotated[str, Field(max_length=1_000), AfterValidator(_line)]
_STORES = Field(
    default=(), max_length=5_000, description="Ids of stores; only for an owner.", examples=[["7"]]
)
_GROUPS = Field(
    default=(),
    max_length=1_000,
    description="Groups whose stores an owner sees, as they are then.",
    examples=[["East"]],
)
_FORCE = Field(default=False, description="Whether stores and groups may be unknown.")


class AccountBody(BaseModel):
    """A person to invite."""

    model_config = ConfigDict(extra="forbid")

    email: str = Field(examples=["ada@example.com"])
    name: str | None = Field(
        default=None, description="Default: what is before the @.", examples=["Ada Lovelace"]
    )
    role: Role
    stores: tuple[_Line, ...] = _STORES
    groups: tuple[_Line, ...] = _GROUPS
    force: StrictBool = _FORCE


class AccountChangeBody(BaseModel):
    """A change of an account: `enabled`, or the other fields."""

    model_config = ConfigDict(extra="forbid")

    enabled: StrictBool | None = Field(default=None, description="Whether the person may sign in.")
    name: str | None = Field(default=None, description="Default: the name that it has.")
    role: Role | None = None
    stores: tuple[_Line, ...] = _STORES
    groups: tuple[_Line, ...] = _GROUPS
    force: StrictBool = _FORCE

    @model_validator(mode="after")
    def _is_one_change(self) -> Self:
        if self.role is None and (self.enabled is None or self.model_fields_set != {"enabled"}):
            raise ValueError("Give `enabled` alone, or `role` with `stores` and `groups`")
        if self.role is not None and self.enabled is not None:
            raise ValueError("Give `enabled` alone, or `role` with `stores` and `groups`")
        return self


class AccountResponse(ResponseBody):
    """An account."""

    account_id: int = Field(examples=[3])
    email: str = Field(examples=["ada@example.com"])
    name: str = Field(examples=["Ada Lovelace"])
    role: Role
    stores: list[str] = Field(description="Ids of the stores that an owner sees.")
    groups: list[str] = Field(description="Groups whose stores an owner sees.")
    enabled: StrictBool = Field(description="Whether the person may sign in.")
    has_password: bool = Field(description="False until the person has followed an invitation.")
    is_at_provider: bool = Field(
        description="Whether the person signs in at the OpenID provider, which then gives the role."
    )
    created_at: AwareDatetime
    last_sign_in_at: AwareDatetime | None = Field(description="Null: never.")


class AccountsPage(ResponseBody):
    """A page of accounts, sorted by email address."""

    accounts: list[AccountResponse]
    total: int
    offset: int
    limit: int
    next: str | None = Field(description="Address of the next page; null on the last page.")


class LinkResponse(ResponseBody):
    """An account with a new link, with which the person chooses a password."""

    account: AccountResponse
    link: str | None = Field(
        description="The link to pass on to the person; null when it was sent to them by mail."
    )
    expires_at: AwareDatetime = Field(description="The link works once, until then.")
    mail_error: str | None = Field(
        description="Why no mail was sent; null when one was, or when mail is not set up."
    )
