//! Documents as e-invoices by EN 16931: UBL 2.1 and UN/CEFACT CII.
