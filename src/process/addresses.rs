//! Addresses that nobody's configuration may lead to.

use std::net::{IpAddr, Ipv4Addr};

/// Whether an address answers with a machine's own credentials, lies on its link, or is no machine at all.
pub(crate) fn is_never_allowed(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_never_allowed_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => is_never_allowed_v4(mapped),
            None => {
                // The second is a metadata service outside of the link-local block.
                address.is_unspecified()
                    || address.is_multicast()
                    || address.is_unicast_link_local()
                    || address.segments() == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]
            }
        },
    }
}

fn is_never_allowed_v4(address: Ipv4Addr) -> bool {
    // 100.100.100.200 and 168.63.129.16 are metadata services of clouds outside the link-local block.
    let metadata = [[100, 100, 100, 200], [168, 63, 129, 16]];
    address.is_link_local()
        || address.is_unspecified()
        || address.is_multicast()
        || metadata.contains(&address.octets())
}
