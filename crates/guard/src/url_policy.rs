//! Which addresses may be called or shown: by scheme, host, port and class of address.
//!
//! An address is read as browsers do (WHATWG URL), and then whatever lets two readers understand it
//! differently is refused rather than interpreted: user information, backslashes, blanks and control
//! characters, percent signs and letters of other scripts in the host, numbers that turn out to be
//! addresses (`0177.0.0.1`, `2130706433`, `0x7f.1`).
//!
//! This is about the text alone. A host that is allowed may still resolve to a private address:
//! whoever calls it asks [`class_of`] again about each address that it resolves to, and about
//! each redirect.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::Serialize;
use url::{Host, Url};

/// The longest address that is read.
pub const URL_BYTES_MAX: usize = 8192;

/// What may be addressed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UrlPolicy {
    /// Schemes, in lower case: `https`.
    pub schemes: Vec<String>,
    /// Hosts, in lower case: `docs.example.org`, or `*.example.org` for all below it. With none, any
    /// host that is no private address.
    pub hosts: Option<Vec<String>>,
    /// Ports beside the scheme's own.
    pub ports: Vec<u16>,
}

/// Why an address is refused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum UrlRefusal {
    /// It is no absolute address.
    #[error("it is no absolute address")]
    Syntax,
    /// Two readers could understand it differently.
    #[error("it can be read in two ways")]
    Confusing,
    /// The scheme is not allowed.
    #[error("the scheme is not allowed")]
    Scheme,
    /// It carries a user's name or password.
    #[error("it carries a user's name or password")]
    Userinfo,
    /// The host is not allowed.
    #[error("the host is not allowed")]
    Host,
    /// The host is an address that is not public.
    #[error("the address is not public")]
    Address,
    /// The port is not allowed.
    #[error("the port is not allowed")]
    Port,
}

impl UrlRefusal {
    /// Its name in rules and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::Confusing => "confusing",
            Self::Scheme => "scheme",
            Self::Userinfo => "userinfo",
            Self::Host => "host",
            Self::Address => "address",
            Self::Port => "port",
        }
    }
}

/// What kind of address an IP address is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressClass {
    /// Reachable on the internet.
    Public,
    /// This machine, or no machine.
    Loopback,
    /// A private network (RFC 1918, RFC 4193), a provider's (RFC 6598).
    Private,
    /// This link, where clouds keep their metadata services.
    LinkLocal,
    /// Many machines at once.
    Multicast,
    /// Documentation, benchmarks, the future.
    Reserved,
}

/// The class of an address; of one that carries another within it, the class of that.
pub fn class_of(address: IpAddr) -> AddressClass {
    match address {
        IpAddr::V4(address) => class_of_v4(address),
        IpAddr::V6(address) => class_of_v6(address),
    }
}

fn class_of_v4(address: Ipv4Addr) -> AddressClass {
    match address.octets() {
        [0 | 127, ..] => AddressClass::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => {
            AddressClass::Private
        }
        [169, 254, ..] => AddressClass::LinkLocal,
        [224..=239, ..] => AddressClass::Multicast,
        [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        | [240..=255, ..] => AddressClass::Reserved,
        _ => AddressClass::Public,
    }
}

fn class_of_v6(address: Ipv6Addr) -> AddressClass {
    let segments = address.segments();
    let within =
        |high: u16, low: u16| class_of_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => AddressClass::Loopback,
        // Mapped, compatible, translated, NAT64: the last four bytes are the address.
        [0, 0, 0, 0, 0, 0xffff | 0, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => within(high, low),
        [0x2002, high, low, ..] => within(high, low),
        [0x64, 0xff9b, 1, ..] | [0xfc00..=0xfdff, ..] => AddressClass::Private,
        [0xfe80..=0xfebf, ..] => AddressClass::LinkLocal,
        [0xfec0..=0xfeff, ..] => AddressClass::Private,
        [0xff00..=0xffff, ..] => AddressClass::Multicast,
        // Teredo carries the address of a client, turned around.
        [0x2001, 0, ..] => within(!segments[6], !segments[7]),
        [0x2001, 0xdb8, ..] | [0x100, 0, 0, 0, ..] | [0x3fff, 0..=0x0fff, ..] => {
            AddressClass::Reserved
        }
        [0x2000..=0x3fff, ..] => AddressClass::Public,
        _ => AddressClass::Reserved,
    }
}

impl UrlPolicy {
    /// HTTPS to these hosts and to nothing else.
    pub fn https(hosts: impl IntoIterator<Item = String>) -> Self {
        Self {
            schemes: vec!["https".to_owned()],
            hosts: Some(
                hosts
                    .into_iter()
                    .map(|host| host.to_ascii_lowercase())
                    .collect(),
            ),
            ports: Vec::new(),
        }
    }

    /// Reads an address, if it may be used.
    ///
    /// # Errors
    /// With the first thing that speaks against it.
    pub fn judge(&self, text: &str) -> Result<Url, UrlRefusal> {
        if text.len() > URL_BYTES_MAX {
            return Err(UrlRefusal::Syntax);
        }
        let is_confusing =
            |c: char| c.is_whitespace() || c.is_control() || c == '\\' || is_invisible(c);
        if text.contains(is_confusing) {
            return Err(UrlRefusal::Confusing);
        }
        let url = Url::parse(text).map_err(|_| UrlRefusal::Syntax)?;
        if !self.schemes.iter().any(|scheme| scheme == url.scheme()) {
            return Err(UrlRefusal::Scheme);
        }
        let authority = authority(text).ok_or(UrlRefusal::Syntax)?;
        if authority.contains('@') || !url.username().is_empty() || url.password().is_some() {
            return Err(UrlRefusal::Userinfo);
        }
        if !authority.is_ascii() || authority.contains('%') || authority.is_empty() {
            return Err(UrlRefusal::Confusing);
        }
        self.judge_host(&url, authority)?;
        match url.port() {
            Some(port) if !self.ports.contains(&port) => Err(UrlRefusal::Port),
            _ => Ok(url),
        }
    }

    fn judge_host(&self, url: &Url, authority: &str) -> Result<(), UrlRefusal> {
        let host = url.host().ok_or(UrlRefusal::Syntax)?;
        let address = match &host {
            Host::Ipv4(address) => Some(IpAddr::V4(*address)),
            Host::Ipv6(address) => Some(IpAddr::V6(*address)),
            Host::Domain(_) => None,
        };
        let said = host.to_string();
        if let Some(address) = address {
            if class_of(address) != AddressClass::Public {
                return Err(UrlRefusal::Address);
            }
            // A number in another form than its own is a disguise.
            let written = authority
                .rsplit_once(':')
                .map_or(authority, |(host, port)| {
                    if port.bytes().all(|byte| byte.is_ascii_digit()) {
                        host
                    } else {
                        authority
                    }
                });
            if written != said && address.is_ipv4() {
                return Err(UrlRefusal::Confusing);
            }
        } else if is_local(&said) {
            return Err(UrlRefusal::Address);
        }
        match &self.hosts {
            Some(hosts) if !hosts.iter().any(|allowed| matches_host(allowed, &said)) => {
                Err(UrlRefusal::Host)
            }
            _ => Ok(()),
        }
    }
}

/// What stands between `//` and the path.
fn authority(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("://")?;
    Some(&rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())])
}

fn matches_host(allowed: &str, host: &str) -> bool {
    match allowed.strip_prefix("*.") {
        Some(parent) => host
            .strip_suffix(parent)
            .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
        None => allowed.eq_ignore_ascii_case(host),
    }
}

/// Names that are never public: those without a dot, which only a network of one's own knows, and those of
/// RFC 6761, RFC 8375, of clouds and clusters.
fn is_local(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    let is_address = host.starts_with('[') || host.parse::<IpAddr>().is_ok();
    if !is_address && !host.contains('.') {
        return true;
    }
    [
        "localhost",
        "local",
        "internal",
        "localdomain",
        "home.arpa",
        "intranet",
        "lan",
        "svc",
        "corp",
        "home",
        "private",
        "test",
    ]
    .iter()
    .any(|name| {
        host == *name
            || host
                .strip_suffix(name)
                .is_some_and(|rest| rest.ends_with('.'))
    })
}

fn is_invisible(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn judged(text: &str) -> Result<(), UrlRefusal> {
        let hosts = [
            "docs.example.org".to_owned(),
            "*.cdn.example.org".to_owned(),
        ];
        UrlPolicy::https(hosts).judge(text).map(|_| ())
    }

    #[test]
    fn what_is_allowed_passes() {
        for good in [
            "https://docs.example.org/",
            "HTTPS://DOCS.example.org:443/a/../b?q=http://localhost#x",
            "https://a.cdn.example.org/img;b=c",
        ] {
            assert_eq!(judged(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn each_disguise_is_refused_for_what_it_is() {
        for (text, why) in [
            ("http://docs.example.org/", UrlRefusal::Scheme),
            ("javascript:alert(1)", UrlRefusal::Scheme),
            ("//docs.example.org/x", UrlRefusal::Syntax),
            (
                "https://docs.example.org@evil.example/",
                UrlRefusal::Userinfo,
            ),
            (
                "https://evil.example\\@docs.example.org/",
                UrlRefusal::Confusing,
            ),
            (
                "https://docs.example.org%2f.evil.example/",
                UrlRefusal::Syntax,
            ),
            ("https://docs。example。org/", UrlRefusal::Confusing),
            ("https://ⓓocs.example.org/", UrlRefusal::Confusing),
            ("https://docs.exam\tple.org/", UrlRefusal::Confusing),
            ("https://cdn.example.org.evil.example/", UrlRefusal::Host),
            ("https://cdn.example.org/", UrlRefusal::Host),
            ("https://docs.example.org:8443/", UrlRefusal::Port),
            ("https://localhost/", UrlRefusal::Address),
            ("https://127.0.0.1/", UrlRefusal::Address),
            ("https://2130706433/", UrlRefusal::Address),
            ("https://0x7f.1/", UrlRefusal::Address),
            ("https://0177.0.0.1/", UrlRefusal::Address),
            ("https://0/", UrlRefusal::Address),
            ("https://[::1]/", UrlRefusal::Address),
            ("https://[::ffff:169.254.169.254]/", UrlRefusal::Address),
            ("https://[64:ff9b::a00:1]/", UrlRefusal::Address),
            ("https://[2002:a00:1::]/", UrlRefusal::Address),
            ("https://[fe80::1%25eth0]/", UrlRefusal::Syntax),
            ("https://0x08.8.8.8/", UrlRefusal::Confusing),
        ] {
            assert_eq!(judged(text), Err(why), "{text}");
        }
    }

    #[test]
    fn without_a_list_of_hosts_only_what_is_public_may_be_reached() {
        let policy = UrlPolicy {
            schemes: vec!["https".to_owned()],
            hosts: None,
            ports: vec![8443],
        };
        assert!(policy.judge("https://example.com:8443/").is_ok());
        assert!(policy.judge("https://8.8.8.8/").is_ok());
        for bad in [
            "https://metadata.google.internal/",
            "https://10.0.0.1/",
            "https://[fd00::1]/",
        ] {
            assert_eq!(policy.judge(bad).unwrap_err(), UrlRefusal::Address, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_way_of_writing_a_private_address_passes(last in any::<u8>(), form in 0..4_u8) {
            let number = 0x7f00_0000 | u32::from(last);
            let host = match form {
                0 => format!("{number}"),
                1 => format!("0x{number:x}"),
                2 => format!("0{number:o}"),
                _ => format!("[::ffff:127.0.0.{last}]"),
            };
            let policy = UrlPolicy { schemes: vec!["https".to_owned()], hosts: None, ports: vec![] };
            prop_assert_eq!(policy.judge(&format!("https://{host}/")).unwrap_err(), UrlRefusal::Address);
        }
    }
}
