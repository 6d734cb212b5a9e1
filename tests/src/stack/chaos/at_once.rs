//! A contact's erasure is asked for by many at once.

use std::collections::BTreeSet;

use super::scene::Scene;

const CONTACT: &str = "7001";
const ASKERS: usize = 8;

//= R8.3
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn whoever_asks_for_the_same_erasure_at_once_gets_the_same_code() {
    let mut scene = Scene::set("asked at once").await;
    let stored = scene.dice.within(10..=30);
    scene.store(&scene.texts(CONTACT, 0, stored));
    let conversation = scene.conversation();
    let codes: BTreeSet<String> = std::thread::scope(|scope| {
        let ask = || scene.erase(&conversation);
        let askers: Vec<_> = (0..ASKERS).map(|_| scope.spawn(ask)).collect();
        askers.into_iter().map(|asker| asker.join().unwrap()).collect()
    });
    scene.judge(codes.len() == 1, &format!("{ASKERS} asked, and were given {} codes", codes.len()));
}
