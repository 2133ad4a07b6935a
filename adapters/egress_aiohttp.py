"""The former name, until gateway/bootstrap/composition.py is committed with the new one; then this file goes."""

from adapters.egress_http import HttpEgress as AiohttpEgress

__all__ = ["AiohttpEgress"]
