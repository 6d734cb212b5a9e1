//! The worker is killed in the middle of its sweep, and another goes on.

use numib::domain::ids::RequestId;
use numib::domain::work::Work;
use numib::edge::queue::WorkQueue;

use super::rows::Held;
use super::scene::Scene;

/// More than a batch of the sweep.
const ROWS: u64 = 300;

//= R8.3
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn what_a_killed_worker_has_deleted_is_counted_once() {
    let mut scene = Scene::set("a killed worker").await;
    for contact in ["7001", "7002"] {
        scene.store(&scene.texts(contact, 0, ROWS));
    }
    let there = scene.held().await;
    let worker = scene.stop_worker();
    let code = scene.disconnect();
    worker.go_on();
    for _ in 0..scene.dice.within(1..=3) {
        scene.dice.pause(0..=700);
        scene.worker().kill();
        // Its message is not shown again before the function's time-out has passed six times.
        queue(&scene, &code).await;
    }
    let counted = scene.counted(&code).await;
    let left = scene.held().await;
    scene.judge(
        left == Held::default() && counted == there.all_rows(),
        &format!("there were {there}; the workers counted {counted} and left {left}"),
    );
}

async fn queue(scene: &Scene, code: &str) {
    let stack = &scene.deployed.stack;
    let client = aws_sdk_sqs::Client::new(&stack.sdk());
    let queue = WorkQueue::new(client, stack.deployed.outputs.work_queue_url.clone());
    let request = RequestId::parse(code).unwrap();
    queue.put(Work::Erase { request: request.clone(), not_before: None }).await.unwrap();
}
