//! Reading the body of a request: at most so much, within a time, without holding more memory than what has come, and than the port's
//! bodies may hold together.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use futures::StreamExt;

use super::bodies::{Bodies, ComingBody, NoRoom, Room};

/// Until a body is there.
const WITHIN: Duration = Duration::from_secs(10);
/// The longest piece in which a body comes: hyper reads no more at once, and one more piece ahead.
const PIECE_BYTES: usize = 16 * 1024;

/// Why there is no body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    /// It is, or says that it is, longer than what is taken.
    #[error("the body is longer than {0} bytes")]
    TooLong(usize),
    /// It did not come in time.
    #[error("the body did not come in time")]
    TooSlow,
    /// The port's bodies hold as much as they may: it had to make room for others, or found none.
    #[error("too many bodies are being read")]
    NoRoom,
    /// It broke off, or was not sent as HTTP says.
    #[error("the body cannot be read: {0}")]
    Broken(String),
}

impl BodyError {
    /// The HTTP status that says so.
    pub(crate) const fn status(&self) -> u16 {
        match self {
            Self::TooLong(_) => 413,
            Self::TooSlow => 408,
            Self::NoRoom => 503,
            Self::Broken(_) => 400,
        }
    }
}

impl From<NoRoom> for BodyError {
    fn from(NoRoom: NoRoom) -> Self {
        Self::NoRoom
    }
}

/// A whole body with its room among the port's bodies.
struct Whole {
    bytes: Vec<u8>,
    _room: Room,
}

impl AsRef<[u8]> for Whole {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads a body of at most `most` bytes within 10 seconds. It counts among the port's `bodies` until the last clone of it is dropped,
/// which should be when the request is answered.
///
/// # Errors
/// When it is longer (before anything of it is read, if it says so itself), slower, or broken, or when there is no room for it.
pub(crate) async fn read(body: Body, most: usize, bodies: &Bodies) -> Result<Bytes, BodyError> {
    read_within(body, most, bodies, WITHIN).await
}

async fn read_within(body: Body, most: usize, bodies: &Bodies, within: Duration) -> Result<Bytes, BodyError> {
    if body.size_hint().lower() > most as u64 {
        return Err(BodyError::TooLong(most));
    }
    let coming = bodies.begin();
    let bytes = tokio::select! {
        read = collect(body, most, &coming) => read?,
        () = coming.ended() => return Err(BodyError::NoRoom),
        () = tokio::time::sleep(within) => return Err(BodyError::TooSlow),
    };
    Ok(Bytes::from_owner(Whole { bytes, _room: coming.whole() }))
}

/// Copies what comes: a piece of one byte would otherwise hold the whole buffer into which it was read. Nothing is read before there is
/// room for it: bodies that wait for room would otherwise hold a piece each.
async fn collect(body: Body, most: usize, coming: &ComingBody) -> Result<Vec<u8>, BodyError> {
    let said = body.size_hint().upper().and_then(|bytes| usize::try_from(bytes).ok());
    let most_to_come = said.map_or(most, |said| said.min(most));
    let mut pieces = body.into_data_stream();
    let mut read = Vec::new();
    let mut room = 0;
    loop {
        let wanted = (read.len() + PIECE_BYTES).min(most_to_come);
        if wanted > room {
            // Twice as much each time, so that few copies are made.
            let wanted = wanted.max(2 * room).min(most_to_come);
            coming.grow(wanted - room).await?;
            read.reserve_exact(wanted - read.len());
            room = wanted;
        }
        let Some(piece) = pieces.next().await else { return Ok(read) };
        let piece = piece.map_err(|error| BodyError::Broken(error.to_string()))?;
        if read.len() + piece.len() > most {
            return Err(BodyError::TooLong(most));
        }
        read.extend_from_slice(&piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream;
    use std::{
        convert::Infallible,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
    };

    fn pieces(count: usize, size: usize) -> Body {
        Body::from_stream(stream::iter((0..count).map(move |_| Ok::<_, Infallible>(vec![b'a'; size]))))
    }

    #[tokio::test]
    async fn bodies_are_read_within_their_limits() {
        let bodies = Bodies::new(100);
        assert_eq!(read(pieces(3, 2), 6, &bodies).await.unwrap(), "aaaaaa");
        assert_eq!(read(pieces(3, 2), 5, &bodies).await, Err(BodyError::TooLong(5)));
        assert_eq!(read(Body::from("aaaaaa"), 5, &bodies).await, Err(BodyError::TooLong(5)), "it says so itself");
        let endless = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
        assert_eq!(read_within(endless, 5, &bodies, Duration::from_millis(10)).await, Err(BodyError::TooSlow));
        let broken = Body::from_stream(stream::iter([Err::<Bytes, _>(std::io::Error::other("cut"))]));
        assert_eq!(read(broken, 5, &bodies).await, Err(BodyError::Broken("cut".into())));
    }

    #[tokio::test]
    async fn a_body_counts_among_the_others_until_it_is_done_with() {
        let bodies = Bodies::new(3000);
        let first = read(pieces(1, 2000), 2000, &bodies).await.unwrap();
        let clone = first.clone();
        drop(first);
        assert_eq!(read(pieces(1, 2000), 2000, &bodies).await, Err(BodyError::NoRoom));
        drop(clone);
        assert!(read(pieces(1, 2000), 2000, &bodies).await.is_ok());
    }

    #[tokio::test]
    async fn a_body_that_does_not_go_on_makes_room_for_one_that_does() {
        let bodies = Bodies::new(3000);
        let begun = stream::iter([Ok::<_, Infallible>(vec![b'a'; 1000])]).chain(stream::pending());
        let mut slow = Box::pin(read(Body::from_stream(begun), 2000, &bodies));
        assert!(futures::poll!(&mut slow).is_pending());
        let (slow, quick) = tokio::join!(slow, read(pieces(1, 2000), 2000, &bodies));
        assert_eq!(slow, Err(BodyError::NoRoom));
        assert!(quick.is_ok());
    }

    #[tokio::test]
    async fn nothing_of_a_body_is_read_before_there_is_room_for_it() {
        let bodies = Bodies::new(3000);
        let first = bodies.begin();
        assert_eq!(first.grow(2000).await, Ok(()));
        let asked = Arc::new(AtomicBool::new(false));
        let noted = Arc::clone(&asked);
        let piece = stream::once(async move {
            noted.store(true, Ordering::Relaxed);
            Ok::<_, Infallible>(vec![b'a'; 2000])
        });
        let mut second = Box::pin(read(Body::from_stream(piece), 2000, &bodies));
        assert!(futures::poll!(&mut second).is_pending());
        assert!(!asked.load(Ordering::Relaxed), "the first has not ended yet");
        drop(first);
        assert_eq!(second.await.unwrap().len(), 2000);
    }
}
