"""Only who is listed may write to us; how many messages were turned away is counted. In Python, beside the same
policy in Rust and in JavaScript.

Configuration: `allow_from`, a list of numbers and e-mail addresses, or `*` for everybody. Keeps `rejected` in the
store: how many messages were turned away. Rejects with `not_in_allow_from`.
"""

import json

from componentize_py_types import Err
from wit_world.exports import allowlist
from wit_world.imports import host, store

allowed: set[str] = set()


def entry(written: object, index: int) -> str:
    if written == "*":
        return "*"
    address = host.normalize(written) if isinstance(written, str) else None
    if address is None:
        # This is the error of `configure`, and the policy is refused with it.
        raise Err(f"allow_from[{index}]: {json.dumps(written)} is no number or e-mail address")
    return address


class Policy:
    def configure(self, config: str) -> None:
        keys = json.loads(config)
        listed = keys.pop("allow_from", [])
        for unknown in keys:
            raise Err(f"{unknown}: unknown key, there is only allow_from")
        if not isinstance(listed, list):
            raise Err("allow_from: must be a list")
        allowed.clear()
        allowed.update(entry(written, index) for index, written in enumerate(listed))


class Allowlist:
    def admit(self, message) -> allowlist.Admission:
        if "*" in allowed or message.sender().address() in allowed:
            return allowlist.Admission_Admit(None)
        count()
        return allowlist.Admission_Reject("not_in_allow_from")


def count() -> None:
    """Values of the store are bytes; JSON is what other tools can show."""
    stored = store.get("rejected")
    rejected = 0 if stored is None else json.loads(stored)
    store.set("rejected", json.dumps(rejected + 1).encode())
