//! A channel is disconnected while a body for one of its contacts is being stored.

use super::rows::Held;
use super::scene::Scene;

const CONTACT: &str = "7001";

//= R8.3
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn what_a_body_met_when_its_channel_was_erased_is_deleted_and_counted() {
    let mut scene = Scene::set("a body under way").await;
    let older = scene.dice.within(20..=40);
    scene.store(&scene.texts(CONTACT, 0, older));
    let worker = scene.stop_worker();
    let mut body = scene.changes(CONTACT, 0, older);
    let newer = scene.dice.within(200..=400);
    body.extend(scene.texts(CONTACT, older, newer));
    let sending = scene.send(&body);
    scene.dice.pause(150..=350);
    let intake = scene.intake().stop();
    let code = scene.disconnect();
    scene.dice.pause(0..=200);
    intake.go_on();
    let answer = sending.join().unwrap();
    if scene.dice.heads() {
        scene.store(&body);
    }
    let there = scene.held_at_rest().await;
    worker.go_on();
    let counted = scene.counted(&code).await;
    let left = scene.held().await;
    scene.store(&body);
    let left_later = scene.held().await;
    let is_right = left == Held::default() && left_later == left && counted == there.all_rows();
    scene.judge(
        is_right,
        &format!(
            "of {older} stored and {newer} under way ({}) the worker found {there}; it counted \
             {counted} and left {left}; after a redelivery {left_later}",
            answer.status
        ),
    );
}
