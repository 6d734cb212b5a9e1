//! The Pages that a person can connect (docs/meta-platform.md#facebook-login-for-business).

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::call::Call;
use super::error::GraphError;
use super::host::{Host, versioned};
use super::secret::AccessToken;
use super::{Answer, Cursor, Graph, next, objects, personal, token};
use crate::domain::ids::MetaId;
use crate::domain::login::{Permission, Task};
use crate::domain::personal::Personal;
use crate::meta::json::{Object, Value};

const FIELDS: &str = "id,name,tasks,access_token,instagram_business_account{id,username}";
/// Pages in one answer at most.
const LIMIT: &str = "100";

/// A part of a list of Pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pages {
    /// The Pages.
    pub pages: Vec<Page>,
    /// Where the list goes on.
    pub next: Option<Cursor>,
}

/// A Page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Its id.
    pub id: MetaId,
    /// Its name.
    pub name: Option<Personal<String>>,
    /// What the person may do on it.
    pub tasks: BTreeSet<Task>,
    /// Its own token; `None` where the person may not have it.
    pub token: Option<AccessToken>,
    /// The Instagram account that is linked to it.
    pub instagram: Option<LinkedAccount>,
}

/// An Instagram account that is linked to a Page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedAccount {
    /// The id that webhooks have.
    pub id: MetaId,
    /// Its username.
    pub username: Option<Personal<String>>,
}

impl Page {
    fn read(page: &Object<'_>) -> Option<Self> {
        let tasks = page.get("tasks").and_then(Value::array).unwrap_or_default();
        let tasks = tasks.into_iter().filter_map(Value::string);
        Some(Self {
            id: personal(page, "id")?,
            name: personal(page, "name"),
            tasks: tasks.filter_map(|task| Task::parse(&task)).collect(),
            token: token(page),
            instagram: linked(page),
        })
    }
}

fn linked(page: &Object<'_>) -> Option<LinkedAccount> {
    let account = page.get("instagram_business_account")?.object()?;
    Some(LinkedAccount { id: personal(&account, "id")?, username: personal(&account, "username") })
}

impl Graph {
    /// Lists the Pages of whoever logged in, from a cursor on.
    pub async fn pages(
        &self,
        now: Timestamp,
        token: &AccessToken,
        after: Option<&Cursor>,
    ) -> Result<Answer<Pages>, GraphError> {
        let call = Call::get(Host::Facebook, &versioned(&["me", "accounts"]))
            .with("fields", FIELDS)
            .with("limit", LIMIT)
            .by(token)
            .needing(&[Permission::PagesShowList, Permission::BusinessManagement])
            .listing()
            .after(after);
        self.ask(now, call).await?.read(|answer| {
            let pages = objects(answer)?.iter().filter_map(Page::read).collect();
            Some(Pages { pages, next: next(answer) })
        })
    }

    /// Reads one Page again, with its own token: its name, and the account that is linked to it.
    pub async fn page(
        &self,
        now: Timestamp,
        page: &MetaId,
        token: &AccessToken,
    ) -> Result<Answer<Page>, GraphError> {
        let call = Call::get(Host::Facebook, &versioned(&[page.expose()]))
            .with("fields", "id,name,instagram_business_account{id,username}")
            .by(token)
            .needing(&[Permission::PagesReadEngagement, Permission::InstagramBasic]);
        self.ask(now, call).await?.read(Page::read)
    }
}
