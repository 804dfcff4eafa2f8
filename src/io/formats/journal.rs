//! Documents as journal entries for hledger and beancount.
