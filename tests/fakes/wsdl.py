"""WSDL documents as departments serve them, and as they should not."""

from __future__ import annotations

from collections.abc import Sequence

WSDL = """<?xml version="1.0" encoding="UTF-8"?>
<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
  xmlns:x="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:contract" targetNamespace="urn:contract">
{imports}<w:types>{schema}</w:types>
<w:message name="In"><w:part name="parameters" element="t:Query"/></w:message>
<w:message name="Out"><w:part name="parameters" element="t:QueryResponse"/></w:message>
<w:portType name="P"><w:operation name="{operation}"><w:input message="t:In"/><w:output message="t:Out"/>
</w:operation></w:portType>
<w:binding name="B" type="t:P"><soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
<w:operation name="{operation}"><soap:operation soapAction="{action}"/>
<w:input><soap:body use="literal"/></w:input><w:output><soap:body use="literal"/></w:output></w:operation></w:binding>
<w:service name="S"><w:port name="P" binding="t:B"><soap:address location="{address}"/></w:port></w:service>
</w:definitions>"""


def schema_of(arguments: Sequence[str], columns: Sequence[str], *, inner: str = "", type_: str = "x:string") -> str:
    """The schema of an operation that takes `arguments` and answers rows of `columns`."""

    def elements(names: Sequence[str], of: str) -> str:
        return "".join(f'<x:element name="{name}" type="{of}" minOccurs="0"/>' for name in names)

    return (
        '<x:schema xmlns:x="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:contract" targetNamespace="urn:contract" '
        f'elementFormDefault="qualified">{inner}'
        f'<x:element name="Query"><x:complexType><x:sequence>{elements(arguments, type_)}</x:sequence></x:complexType>'
        '</x:element><x:element name="QueryResponse"><x:complexType><x:sequence><x:element name="RetCode" '
        'type="x:string"/><x:element name="Row" minOccurs="0" maxOccurs="unbounded"><x:complexType><x:sequence>'
        f"{elements(columns, 'x:string')}</x:sequence></x:complexType></x:element></x:sequence></x:complexType>"
        "</x:element></x:schema>"
    )


def simple_wsdl(
    address: str,
    *,
    arguments: Sequence[str] = ("sfzh", "xm"),
    columns: Sequence[str] = ("djbh",),
    operation: str = "Query",
    action: str = "urn:contract/Query",
    imports: str = "",
    schema: str | None = None,
) -> str:
    """A document/literal WSDL with one operation; its parts may be replaced."""
    made = schema if schema is not None else schema_of(arguments, columns)
    return WSDL.format(address=address, operation=operation, action=action, imports=imports, schema=made)
