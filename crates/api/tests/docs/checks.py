"""What schemathesis does not check by itself: see document.rs."""

import itertools
import re

import schemathesis

NUMBERS = itertools.count()
CODE = re.compile("[A-Z]{3}")

# What every HTTP answer may have.
TRANSPORT = {"content-length", "content-type", "date", "connection", "transfer-encoding"}

# Rules that a schema cannot say, and the document says in words.
WORDS = {
    "too_many_decimals",
    "out_of_range",
    "unknown_currency",
    "invalid_cursor",
    "invalid_time",
}


@schemathesis.hook
def map_body(ctx, body):
    """Most drawn numbers cannot be paid and most drawn codes are no currency: too little would be paid."""
    if isinstance(body, dict):
        amount = body.get("amount")
        if isinstance(amount, float) and amount > 0:
            body["amount"] = round(amount % 1e6, 2) or 1
        currency = body.get("currency")
        if isinstance(currency, str) and CODE.fullmatch(currency):
            body["currency"] = "EUR"
    return body


@schemathesis.hook
def map_headers(ctx, headers):
    """The document's example of a key is drawn again and again: every other time it is a fresh one."""
    if headers and headers.get("Idempotency-Key") == "order-42":
        number = next(NUMBERS)
        if number % 2:
            headers["Idempotency-Key"] = f"order-{number}"
    return headers


@schemathesis.check
def every_header_is_documented(ctx, response, case):
    documented = case.operation.responses.find_by_status_code(response.status_code)
    if documented is None:
        return None
    known = TRANSPORT | {name.lower() for name, _ in documented.headers.items()}
    unknown = sorted(name for name in response.headers if name.lower() not in known)
    assert not unknown, f"headers that are not in the document: {', '.join(unknown)}"


@schemathesis.check
def valid_requests_are_refused_only_by_rules_in_words(ctx, response, case):
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code != 400:
        return None
    body = response.json()
    if "error" in body:
        detail = body["error"]["detail"]
        assert detail.startswith(("Correct amount", "Correct currency")), detail
        return None
    codes = {error["code"] for error in body.get("errors", [])} or {body["code"]}
    assert codes <= WORDS, f"refused by {', '.join(sorted(codes - WORDS))}"
