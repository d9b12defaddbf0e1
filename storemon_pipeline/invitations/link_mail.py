"""The mail with a link of an account. Making the link belongs to `access`."""

from storemon_pipeline.access.account_management import NewLink
from storemon_pipeline.alerts.deliver import send
from storemon_pipeline.alerts.messages import Message
from storemon_pipeline.sent_statements.deliver_statements import mail_address


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
