//! Intake stands still in the middle of a body while its channel is swept, goes on for a moment and
//! is killed.

use std::time::Duration;

use numib::edge::clock::Stopwatch;

use super::rows::Held;
use super::scene::Scene;

const CONTACT: &str = "7001";
/// Intake gives a body up this long after it came. What intake does before that counts.
const SWEPT_MAX: Duration = Duration::from_millis(4200);
const POLL: Duration = Duration::from_millis(100);

//= R8.3
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn what_a_killed_body_wrote_after_its_channel_was_swept_is_deleted() {
    let mut scene = Scene::set("a killed body").await;
    let older = scene.dice.within(20..=40);
    scene.store(&scene.texts(CONTACT, 0, older));
    let newer = scene.dice.within(200..=400);
    let body = scene.texts(CONTACT, older, newer);
    let stopwatch = Stopwatch::start();
    let sending = scene.send(&body);
    scene.dice.pause(150..=350);
    let standing = scene.intake().stop();
    let code = scene.disconnect();
    let mut swept = scene.held().await;
    while swept != Held::default() && stopwatch.elapsed() < SWEPT_MAX {
        std::thread::sleep(POLL);
        swept = scene.held().await;
    }
    standing.go_on();
    scene.dice.pause(50..=150);
    scene.intake().kill();
    let answer = sending.join().unwrap();
    let there = scene.held().await;
    if scene.dice.heads() {
        scene.store(&body);
    }
    let counted = scene.counted(&code).await;
    let left = scene.held().await;
    scene.store(&body);
    let left_later = scene.held().await;
    let is_right =
        left == Held::default() && left_later == left && (older..=older + newer).contains(&counted);
    scene.judge(
        is_right,
        &format!(
            "of {older} stored and {newer} under way ({}) there were {swept} when intake went \
             on, and {there} when it was killed; the worker counted {counted} and left \
             {left}; after a redelivery {left_later}",
            answer.status
        ),
    );
}
