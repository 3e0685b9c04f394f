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


# The same where no code is told.
SENTENCE = re.compile(
    "Correct the request: amount "
    r"(must not have more than \d+ decimals in this currency|is larger than this service can store)\."
)

MODE = "X-Fake-Gateway-Mode"
# Modes in which the fake gateway never answers, late, or what cannot be read.
UNREADABLE = {"charge_then_timeout", "charge_then_reset", "malformed", "slow"}
# Modes in which it answers 500.
FAILING = {"fail_before", "error_after_charge"}


@schemathesis.hook
def before_call(ctx, case, kwargs):
    if case.headers.get(MODE) in UNREADABLE:
        del case.headers[MODE]


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
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code not in (400, 422):
        return None
    body = response.json()
    match body:
        case {"error": str(sentence)} if response.status_code == 400:
            assert SENTENCE.fullmatch(sentence), sentence
        case {"error": {"detail": detail}} if response.status_code == 400:
            assert detail.startswith(("Correct amount", "Correct currency")), detail
        case {"detail": list(rules)}:
            refused_by({rule["type"] for rule in rules})
        case {"errors": errors}:
            refused_by({error["code"] for error in errors})
        case {"code": code} if response.status_code == 400:
            refused_by({code})


def refused_by(codes):
    assert codes <= WORDS, f"refused by {', '.join(sorted(codes - WORDS))}"


@schemathesis.check
def errors_of_the_service_are_meant(ctx, response, case):
    """500 is the answer of attempts that failed, which the gateway's chance lets happen, and of a mode that asks for it."""
    if response.status_code != 500:
        return None
    error = response.json().get("error")
    if isinstance(error, str):
        assert error.startswith("The payment failed for now"), error
    else:
        assert case.headers.get(MODE) in FAILING, response.text
