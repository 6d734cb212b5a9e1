//! Day keys: one per connection and day, whoever makes it first.

use numib::domain::time::Day;

use crate::database::Database;
use crate::shop::{Shop, key_pair, now};

on_both_databases!(
    the_first_key_of_a_day_is_the_days_key,
    rivals_agree_on_one_key,
    a_day_without_a_key_has_none,
);

async fn the_first_key_of_a_day_is_the_days_key(db: &Database) {
    let shop = Shop::open(db).await;
    let (account, id) = (&shop.connection.account, &shop.connection.id);
    let day = Day::of(now()).plus(20);
    let days = (day, day.plus(31));
    let pair = key_pair();
    let made = db.store.put_day_key((account, id), days, pair.clone()).await.unwrap();
    assert_eq!(made, pair.public_key);
    let before = db.dump().await;
    let second = db.store.put_day_key((account, id), days, key_pair()).await.unwrap();
    assert_eq!(second, pair.public_key);
    assert_eq!(db.dump().await, before);
    assert_eq!(db.store.public_day_key(id, day).await.unwrap(), Some(pair.public_key));
    let wrapped = db.store.wrapped_day_key(id, day).await.unwrap().unwrap();
    assert_eq!((&wrapped.account, wrapped.wrapped_key), (account, pair.wrapped_key));
}

async fn rivals_agree_on_one_key(db: &Database) {
    let shop = Shop::open(db).await;
    let owner = (&shop.connection.account, &shop.connection.id);
    let day = Day::of(now()).plus(20);
    let put = || db.store.put_day_key(owner, (day, day.plus(31)), key_pair());
    let (a, b, c) = futures_util::try_join!(put(), put(), put()).unwrap();
    assert!(a == b && b == c);
}

async fn a_day_without_a_key_has_none(db: &Database) {
    let shop = Shop::open(db).await;
    let day = Day::of(now()).plus(20);
    assert_eq!(db.store.public_day_key(&shop.connection.id, day).await.unwrap(), None);
    assert!(db.store.wrapped_day_key(&shop.connection.id, day).await.unwrap().is_none());
}
