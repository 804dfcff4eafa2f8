//! `serve` as typed.

#![allow(clippy::doc_markdown, reason = "these comments are the help texts")]

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// A console in the browser: tonight, calls, what waits, customers, months, rates; it only reads.
///
/// Pages need no script, and ask for nothing from anywhere else. The same data is JSON under
/// /api/v1, described by /api/v1/openapi.json; /healthz is for probes, /metrics for Prometheus.
///
/// It listens on this machine only; elsewhere it asks for a token, which --token-file has: as
/// `Authorization: Bearer`, or once in the form of a login. It speaks HTTP: put a proxy with TLS
/// before it where others may listen. A proxy that asks its clients for a certificate may take the
/// place of the token: --proxy, --proxy-user and --proxy-host. Who looked at whose calls is kept in
/// the ledger's looks.jsonl. It ends at Ctrl-C.
#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    /// The address and port to listen at
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1:8707")]
    pub listen: SocketAddr,
    /// The file with the token that is asked for, of 16 characters or more
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// The address of a proxy with TLS that knows its clients: it says who asks
    #[arg(long, value_name = "HOST", requires_all = ["proxy_user", "proxy_host"])]
    pub proxy: Option<IpAddr>,
    /// The header by which the proxy names its client; the proxy must drop it from requests
    #[arg(long, value_name = "NAME", requires = "proxy")]
    pub proxy_user: Option<String>,
    /// The host name that browsers ask the proxy for
    #[arg(long, value_name = "NAME", requires = "proxy")]
    pub proxy_host: Option<String>,
    /// Hide the last four digits of every telephone number
    #[arg(long = "mask")]
    pub masks: bool,
}
