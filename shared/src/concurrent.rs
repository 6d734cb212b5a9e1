//! Many requests at once, but not all of them.

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

/// Runs the futures, so many at once, and returns what they give in their order.
pub async fn all<T, F>(futures: impl IntoIterator<Item = F>, at_once: usize) -> Vec<T>
where
    F: Future<Output = T>,
{
    let futures: Vec<F> = futures.into_iter().collect();
    stream::iter(futures).buffered(at_once).collect().await
}

/// Runs the futures, so many at once, and returns their results in their order.
///
/// # Errors
/// The first error; futures that have not started are dropped then.
pub async fn try_all<T, E, F>(
    futures: impl IntoIterator<Item = F>,
    at_once: usize,
) -> Result<Vec<T>, E>
where
    F: Future<Output = Result<T, E>>,
{
    // Collected first: a lazily mapped stream of borrowing closures is not `Send` to the compiler.
    let futures: Vec<F> = futures.into_iter().collect();
    stream::iter(futures).buffered(at_once).try_collect().await
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn results_keep_their_order_and_no_more_than_the_limit_run_at_once() {
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = (0..50).map(async |n: u64| {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(std::time::Duration::from_millis(n % 3)).await;
            running.fetch_sub(1, Ordering::SeqCst);
            Ok::<_, ()>(n)
        });
        assert_eq!(try_all(work, 4).await.unwrap(), (0..50).collect::<Vec<_>>());
        assert_eq!(most.load(Ordering::SeqCst), 4);
    }

    #[tokio::test]
    async fn the_first_error_ends_it() {
        let work = (0..3).map(async |n| if n == 1 { Err(n) } else { Ok(n) });
        assert_eq!(try_all(work, 1).await, Err(1));
    }
}
