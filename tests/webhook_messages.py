"""Messages of platforms in the shapes that their public documentation has, and their settings.

Where each comes from is beside it. Grubhub is left out: its documented webhooks are about orders,
deliveries, menus and reports, and none says that a store went offline.
"""

import base64
import hashlib
import hmac
import json
from typing import Any, Final

# developer.doordash.com/en-US/docs/marketplace/how_to/store_temp_deac
DOORDASH: Final = {
    "store": {"doordash_store_id": 1, "merchant_supplied_id": "2"},
    "event": {"type": "Store Temporarily Deactivated"},
    "reason_id": 22,
    "reason": "Incorrect Store Hours",
    "notes": "Notes here",
    "start_time": "2022-11-28T22:30:19Z",
    "end_time": "2022-11-29T03:30:19Z",
}
# developers.deliverect.com/reference/post-busy-mode
DELIVERECT: Final = {
    "accountId": "5b9c71c6489f0029aad4",
    "locationId": "5cecc6489f0001b8",
    "channelLinkId": "5eabc11dec00019b",
    "status": "PAUSED",
}
# uk.api.just-eat.io/docs, PUT /restaurant-offline-status: no time and no reason.
JUST_EAT: Final = {
    "AllowRestaurantOverride": False,
    "IsOffline": True,
    "RestaurantId": "123456",
    "Tenant": "uk",
}

SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105  (the standard's example)

SETTINGS: Final = """
[doordash]
secret_env = ["TEST_WEBHOOK_SECRET", "TEST_OLD_WEBHOOK_SECRET"]
store_id = "store.merchant_supplied_id"
state = "event.type"
down = ["Store Temporarily Deactivated"]
up = ["Store Reactivated"]
ignored = ["Menu Updated"]
start_time = "start_time"
end_time = "end_time"
reason = ["reason", "notes"]

[deliverect]
secret_env = "TEST_WEBHOOK_SECRET"
signature = "hmac"
header = "X-Server-Authorization-HMAC-SHA256"
store_id = "locationId"
state = "status"
down = ["PAUSED"]
up = ["ONLINE"]
ignored = ["BUSY"]

[justeat]
secret_env = "TEST_WEBHOOK_SECRET"
signature = "token"
header = "Authorization"
prefix = "Bearer "
store_id = "RestaurantId"
state = "IsOffline"
down = [true]
up = [false]
"""


def standard_headers(
    body: bytes, *, message_id: str, timestamp: int, secret: str = SECRET
) -> dict[str, str]:
    """The headers of a message as Standard Webhooks sign it."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{digest}",
    }


def body_of(message: Any) -> bytes:  # noqa: ANN401 - a JSON value
    """A message as it is sent."""
    return json.dumps(message).encode()
