"""The plug-in's settings, from the proxy's environment. The proxy does not start without them."""

from __future__ import annotations

import logging
import os
from typing import Any, Dict, Mapping, Optional

from .. import Client, Invalid
from .._journal import check_folder

FILES = {"BUDGETD_TOKEN_FILE": "token_file", "BUDGETD_TLS_CA": "tls_ca",
         "BUDGETD_TLS_CERT": "tls_cert", "BUDGETD_TLS_KEY": "tls_key",
         "BUDGETD_SERVER_NAME": "server_name"}

log = logging.getLogger("budgetd")


class Environment:
    """What the variables say."""

    def __init__(self, address: str, options: Dict[str, Any], journal: Optional[str],
                 greatest: bool, charges_estimate: bool) -> None:
        self.address, self.options, self.journal = address, options, journal
        #: Whether the greatest cost is held that a request can have, and not the learned one.
        self.greatest = greatest
        #: Whether a request whose model has no price is charged its hold's amount.
        self.charges_estimate = charges_estimate

    @classmethod
    def read(cls, given: Optional[Mapping[str, str]] = None) -> Environment:
        """Checks everything that can be checked before the first request."""
        variables = os.environ if given is None else given
        address = variables.get("BUDGETD_ADDRESS", "")
        if not address:
            raise Invalid("BUDGETD_ADDRESS is not set: give budgetd's host:port, or several with "
                          "commas, in the proxy's environment")
        choice = variables.get("BUDGETD_ON_UNAVAILABLE")
        if choice not in ("open", "closed"):
            now = "is not set" if not choice else f"is '{choice}'"
            raise Invalid(f"BUDGETD_ON_UNAVAILABLE {now}: give open, and requests pass while "
                          "budgetd is away, or closed, and they are refused with 503")
        options: Dict[str, Any] = {"on_unavailable": choice}
        for name, option in FILES.items():
            if name in variables:
                options[option] = given_text(variables, name)
        estimate = one_of(variables, "BUDGETD_ESTIMATE", ("learned", "greatest"))
        unpriced = one_of(variables, "BUDGETD_UNPRICED", ("free", "estimate"))
        journal = given_text(variables, "BUDGETD_JOURNAL") if "BUDGETD_JOURNAL" in variables \
            else None
        # Made and thrown away, to say what is wrong before the proxy takes requests. The one with
        # a journal is made in the worker: a process that forks later must not share its files.
        Client(address, **options)
        if journal is not None:
            check_folder(journal)
        return cls(address, options, journal, estimate == "greatest", unpriced == "estimate")

    def client(self) -> Client:
        try:
            return Client(self.address, journal=self.journal, **self.options)
        except Invalid as error:
            if self.journal is None or self.options["on_unavailable"] == "closed":
                raise
            made = Client(self.address, **self.options)
            log.critical("budgetd: what this worker owes at its end is lost, until it is started "
                         "anew: %s", error)
            return made


def given_text(variables: Mapping[str, str], name: str) -> str:
    """A variable that is set. An empty one, of a file that was not filled in, must not switch off
    encryption, the token or the journal without a word."""
    if not variables[name]:
        raise Invalid(f"{name} is set and empty: give it a value, or do not set it")
    return variables[name]


def one_of(variables: Mapping[str, str], name: str, choices: Any) -> str:
    """The variable, or the first choice where it is not set."""
    value = variables.get(name) or choices[0]
    if value not in choices:
        raise Invalid(f"{name} is '{value}': give {' or '.join(choices)}")
    return str(value)
