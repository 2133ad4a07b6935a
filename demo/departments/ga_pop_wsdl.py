"""The service description of the police population service, as it serves it: a WSDL and the XSD it imports."""

from __future__ import annotations

from typing import Final

NAMESPACE: Final = "urn:ga:population:service"
TYPES: Final = "urn:ga:population:types"
PERSON: Final = (
    "RYBH",
    "GMSFHM",
    "XM",
    "CYM",
    "ZJLX",
    "XB",
    "MZ",
    "CSRQ",
    "HJXZQH",
    "HJDZ",
    "LXDH",
    "ZPZY",
    "RYZT",
    "GXSJ",
)
ADDRESS: Final = ("DZBH", "GMSFHM", "XM", "XZXZQH", "XZDZ", "QSRQ", "GXSJ")
OPERATIONS: Final = {"QueryPerson": ("Person", PERSON), "QueryAddress": ("Address", ADDRESS)}


def xsd() -> str:
    """The types; every value is a string, as such services have it."""
    parts = []
    for operation, (record, fields) in OPERATIONS.items():
        elements = "".join(f'<xsd:element name="{name}" type="xsd:string" minOccurs="0"/>' for name in fields)
        parts.append(
            f'<xsd:complexType name="{record}"><xsd:sequence>{elements}</xsd:sequence></xsd:complexType>'
            f'<xsd:element name="{operation}"><xsd:complexType><xsd:sequence><xsd:element name="GMSFHM" '
            'type="ga:GMSFHM"/><xsd:element name="XM" type="xsd:string"/></xsd:sequence></xsd:complexType></xsd:element>'
            f'<xsd:element name="{operation}Response"><xsd:complexType><xsd:sequence>'
            '<xsd:element name="RetCode" type="xsd:string"/><xsd:element name="RetMsg" type="xsd:string"/>'
            f'<xsd:element name="{record}" type="ga:{record}" minOccurs="0" maxOccurs="unbounded"/>'
            "</xsd:sequence></xsd:complexType></xsd:element>"
        )
    return (
        '<?xml version="1.0" encoding="GB18030"?>\n<xsd:schema xmlns:xsd="http://www.w3.org/2001/XMLSchema" '
        f'xmlns:ga="{TYPES}" targetNamespace="{TYPES}" elementFormDefault="qualified">'
        '<xsd:simpleType name="GMSFHM"><xsd:annotation><xsd:documentation>公民身份号码</xsd:documentation>'
        '</xsd:annotation><xsd:restriction base="xsd:string"><xsd:maxLength value="18"/></xsd:restriction>'
        f"</xsd:simpleType>{''.join(parts)}</xsd:schema>"
    )


def wsdl(address: str, xsd_location: str = "population.xsd") -> str:
    """The description, document/literal over SOAP 1.1, with the types imported from `xsd_location`."""
    messages, ports, bindings = [], [], []
    for name in OPERATIONS:
        messages.append(
            f'<wsdl:message name="{name}Request"><wsdl:part name="parameters" element="ga:{name}"/></wsdl:message>'
            f'<wsdl:message name="{name}Response"><wsdl:part name="parameters" element="ga:{name}Response"/>'
            "</wsdl:message>"
        )
        ports.append(
            f'<wsdl:operation name="{name}"><wsdl:input message="tns:{name}Request"/>'
            f'<wsdl:output message="tns:{name}Response"/></wsdl:operation>'
        )
        bindings.append(
            f'<wsdl:operation name="{name}"><soap:operation soapAction="{action(name)}"/><wsdl:input>'
            '<soap:body use="literal"/></wsdl:input><wsdl:output><soap:body use="literal"/></wsdl:output>'
            "</wsdl:operation>"
        )
    return (
        '<?xml version="1.0" encoding="GB18030"?>\n<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" '
        'xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:xsd="http://www.w3.org/2001/XMLSchema" '
        f'xmlns:tns="{NAMESPACE}" xmlns:ga="{TYPES}" targetNamespace="{NAMESPACE}">'
        f'<wsdl:types><xsd:schema><xsd:import namespace="{TYPES}" schemaLocation="{xsd_location}"/></xsd:schema>'
        f"</wsdl:types>{''.join(messages)}"
        f'<wsdl:portType name="Population">{"".join(ports)}</wsdl:portType>'
        '<wsdl:binding name="PopulationSoap" type="tns:Population">'
        f'<soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>{"".join(bindings)}'
        '</wsdl:binding><wsdl:service name="PopulationService"><wsdl:port name="PopulationSoap" '
        f'binding="tns:PopulationSoap"><soap:address location="{address}"/></wsdl:port></wsdl:service>'
        "</wsdl:definitions>"
    )


def action(operation: str) -> str:
    return f"{NAMESPACE}/{operation}"
