//! The hosts that are called, and no others.

use super::version::VERSION;

/// A host of Meta's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Host {
    /// Everything of Facebook Login.
    Facebook,
    /// Everything of Instagram Login, but for the exchange of a code.
    Instagram,
    /// The exchange of a code of Instagram Login.
    InstagramCodes,
    /// Facebook's page to log in on: for browsers.
    FacebookDialog,
    /// Instagram's page to log in on: for browsers.
    InstagramDialog,
}

impl Host {
    const fn name(self) -> &'static str {
        match self {
            Self::Facebook => "graph.facebook.com",
            Self::Instagram => "graph.instagram.com",
            Self::InstagramCodes => "api.instagram.com",
            Self::FacebookDialog => "www.facebook.com",
            Self::InstagramDialog => "www.instagram.com",
        }
    }
}

/// Where Meta's hosts are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base(At);

#[derive(Debug, Clone, PartialEq, Eq)]
enum At {
    Meta,
    Under(String),
}

impl Base {
    /// Meta itself, over TLS.
    //= R4.1
    pub const META: Self = Self(At::Meta);

    /// A stand-in for Meta, for a local stack and tests: below this URL, the first part of a path
    /// is the host. `None` if that is no URL of a place: with a query, say.
    #[must_use]
    pub fn under(url: &str) -> Option<Self> {
        let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"))?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/[]".contains(c);
        let is_place = !rest.is_empty() && !rest.starts_with('/') && rest.chars().all(is_plain);
        is_place.then(|| Self(At::Under(url.trim_end_matches('/').to_owned())))
    }

    /// The URL of a host, without a slash at the end.
    pub(super) fn of(&self, host: Host) -> String {
        match &self.0 {
            At::Meta => format!("https://{}", host.name()),
            At::Under(url) => format!("{url}/{}", host.name()),
        }
    }
}

/// A path below a host: the version, and then names and ids.
pub(super) fn versioned<'a>(parts: &[&'a str]) -> Vec<&'a str> {
    std::iter::once(VERSION).chain(parts.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    //= R4.1
    #[test]
    fn meta_itself_is_called_over_tls() {
        let hosts = [Host::Facebook, Host::Instagram, Host::InstagramCodes];
        let urls = hosts.map(|host| Base::META.of(host));
        assert_eq!(
            urls,
            [
                "https://graph.facebook.com",
                "https://graph.instagram.com",
                "https://api.instagram.com"
            ]
        );
    }

    #[test]
    fn a_stand_in_has_each_host_below_it() {
        for url in ["http://127.0.0.1:9/x", "http://127.0.0.1:9/x/"] {
            let base = Base::under(url).unwrap();
            assert_eq!(base.of(Host::InstagramCodes), "http://127.0.0.1:9/x/api.instagram.com");
        }
        assert!(Base::under("http://[::1]:8080").is_some());
    }

    #[test]
    fn what_is_no_place_is_no_base() {
        for bad in [
            "",
            "http://",
            "https:///x",
            "ftp://x",
            "x",
            "http://a?b",
            "http://a#b",
            "http://a@b",
            "http://a b",
            "http://é",
        ] {
            assert_eq!(Base::under(bad), None, "{bad:?}");
        }
    }
}
