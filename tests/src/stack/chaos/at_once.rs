//! A contact's erasure is asked for by many at once.

use std::collections::BTreeSet;

use super::scene::Scene;

/// The first may meet processes that are still being started, one after the other.
const CONTACTS: [&str; 3] = ["7001", "7002", "7003"];
const ASKERS: usize = 8;

//= R8.3
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn whoever_asks_for_the_same_erasure_at_once_gets_the_same_code() {
    let mut scene = Scene::set("asked at once").await;
    for contact in CONTACTS {
        let stored = scene.dice.within(10..=30);
        scene.store(&scene.texts(contact, 0, stored));
    }
    let conversations = scene.conversations();
    let codes: Vec<_> = conversations.iter().map(|one| ask(&scene, one).len()).collect();
    let seen = format!("{ASKERS} asked for each, and were given codes: {codes:?}");
    scene.judge(codes == [1; CONTACTS.len()], &seen);
}

/// The codes that they are given.
fn ask(scene: &Scene, conversation: &str) -> BTreeSet<String> {
    std::thread::scope(|scope| {
        let ask = || scene.erase(conversation);
        let askers: Vec<_> = (0..ASKERS).map(|_| scope.spawn(ask)).collect();
        askers.into_iter().map(|asker| asker.join().unwrap()).collect()
    })
}
