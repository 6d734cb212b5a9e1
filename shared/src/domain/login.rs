//! Meta's two logins, and what each has to grant.

use std::collections::BTreeSet;

use super::ids::Channel;

words! {
    /// The login of Meta's by which an account connects a channel. Each login has its own
    /// credentials, hosts and tokens (docs/meta-platform.md#instagram-login).
    Login {
        /// Facebook Login for Business: Pages, and the Instagram accounts that are linked to them.
        Facebook = "facebook",
        /// Instagram Login: an Instagram professional account by itself.
        Instagram = "instagram",
    }
}

words! {
    /// What a person grants to our app at Meta, by Meta's names.
    Permission {
        /// To list the person's Pages.
        PagesShowList = "pages_show_list",
        /// To read and write messages of a Page.
        PagesMessaging = "pages_messaging",
        /// To subscribe to a Page's webhooks.
        PagesManageMetadata = "pages_manage_metadata",
        /// To read a Page's conversations.
        PagesReadEngagement = "pages_read_engagement",
        /// To see the Instagram account that is linked to a Page.
        InstagramBasic = "instagram_basic",
        /// To read and write messages of that account.
        InstagramManageMessages = "instagram_manage_messages",
        /// To see Pages that belong to a business portfolio.
        BusinessManagement = "business_management",
        /// By Instagram Login: to see the account.
        InstagramBusinessBasic = "instagram_business_basic",
        /// By Instagram Login: to read and write the account's messages.
        InstagramBusinessManageMessages = "instagram_business_manage_messages",
    }
}

words! {
    /// What a person may do on a Page, as far as it matters here, by Meta's names.
    Task {
        /// Answer messages.
        Messaging = "MESSAGING",
        /// Subscribe apps, and read messages.
        Moderate = "MODERATE",
    }
}

/// The permissions without which a channel that is connected by this login does not work.
#[must_use]
pub const fn needed(login: Login, channel: Channel) -> &'static [Permission] {
    use Permission as P;
    match (login, channel) {
        (Login::Facebook, Channel::Messenger) => {
            &[P::PagesShowList, P::PagesMessaging, P::PagesManageMetadata, P::PagesReadEngagement]
        }
        (Login::Facebook, Channel::Instagram) => &[
            P::PagesShowList,
            P::PagesManageMetadata,
            P::PagesReadEngagement,
            P::InstagramBasic,
            P::InstagramManageMessages,
        ],
        (Login::Instagram, _) => &[P::InstagramBusinessBasic, P::InstagramBusinessManageMessages],
    }
}

/// The permissions that are needed and were not granted.
#[must_use]
pub fn missing(needed: &[Permission], granted: &BTreeSet<Permission>) -> BTreeSet<Permission> {
    needed.iter().filter(|one| !granted.contains(one)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_that_lacks_one_permission_is_found_out() {
        for login in Login::ALL {
            for channel in Channel::ALL {
                let needed = needed(*login, *channel);
                let all: BTreeSet<_> = needed.iter().copied().collect();
                assert_eq!(missing(needed, &all), BTreeSet::new());
                for one in needed {
                    let mut granted = all.clone();
                    granted.remove(one);
                    assert_eq!(missing(needed, &granted), BTreeSet::from([*one]));
                }
            }
        }
    }
}
