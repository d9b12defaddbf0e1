"""The mail with a link of an account. Making the link belongs to `access`."""

from dataclasses import dataclass

from storemon_pipeline.access.account_management import NewLink
from storemon_pipeline.alerts.deliver import NotSentError, send
from storemon_pipeline.alerts.messages import Message
from storemon_pipeline.sent_statements.deliver_statements import mail_address


@dataclass(frozen=True, slots=True)
class GivenLink:
    """Whether a link was sent by mail, and the error if not."""

    address: str | None
    """The link for whoever made it to pass on; None when a mail took it to the person."""
    error: str | None
    """Why no mail was sent; None where mail is not set up."""


def give_link(
    mail_url: str | None, public_url: str | None, own_url: str, link: NewLink
) -> GivenLink:
    """Mail the link to the person where mail and a public address are set up, or return it."""
    error = None
    if mail_url is not None and public_url is not None:
        try:
            mail_link(mail_url, public_url, link)
        except NotSentError as failure:
            error = str(failure)
        else:
            return GivenLink(None, None)
    return GivenLink(link_address(public_url or own_url, link), error)


def link_address(root: str, link: NewLink) -> str:
    """Return the address at which the person chooses a password."""
    return f"{root.rstrip('/')}/password?token={link.token}"


def link_message(root: str, link: NewLink) -> Message:
    """Return the mail: an invitation to people who have no password yet."""
    is_new = link.account.password_hash is None
    what = (
        f"You are invited to storemon at {root.rstrip('/')}. Choose a password:"
        if is_new
        else "Somebody asked for a new password for your account at storemon. Choose it here:"
    )
    rest = "" if is_new else " If it was not you, ignore this mail: your password stays."
    return Message(
        "Your invitation to storemon" if is_new else "A new password for storemon",
        f"Hello {link.account.name},\n\n{what}\n\n{link_address(root, link)}\n\n"
        f"The link works once, until {link.expires_at:%Y-%m-%d %H:%M} UTC.{rest}\n",
    )


def mail_link(mail_url: str, root: str, link: NewLink) -> None:
    """Send the link to the person. Raises NotSentError."""
    send(mail_address(mail_url, link.account.email), link_message(root, link))
