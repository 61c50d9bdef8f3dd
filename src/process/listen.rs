//! Listening, the same way in every role: ports are fixed (see [`crate::wire::ports`]), only the address can be chosen.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use tokio::net::TcpListener;

/// Listens on `address` and `port`.
///
/// `::` stands for every address of either family; on a node without IPv6 that is every IPv4 address.
///
/// # Errors
/// When the address cannot be bound; the message names it.
pub(crate) async fn bind(address: IpAddr, port: u16) -> io::Result<TcpListener> {
    let named = |error: io::Error| {
        io::Error::new(error.kind(), format!("cannot listen on {}: {error}", SocketAddr::new(address, port)))
    };
    match TcpListener::bind((address, port)).await {
        Ok(listener) => Ok(listener),
        Err(error) if address.is_ipv6() && address.is_unspecified() && error.kind() != io::ErrorKind::AddrInUse => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await.map_err(named)
        }
        Err(error) => Err(named(error)),
    }
}
