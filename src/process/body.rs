//! Reading the body of a request: at most so much, within a time, without holding more memory than what has come.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use futures::StreamExt;

/// Until a body is there.
const WITHIN: Duration = Duration::from_secs(10);

/// Why there is no body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    /// It is, or says that it is, longer than what is taken.
    #[error("the body is longer than {0} bytes")]
    TooLong(usize),
    /// It did not come in time.
    #[error("the body did not come in time")]
    TooSlow,
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
            Self::Broken(_) => 400,
        }
    }
}

/// Reads a body of at most `most` bytes within 10 seconds.
///
/// # Errors
/// When it is longer (before anything of it is read, if it says so itself), slower, or broken.
pub(crate) async fn read(body: Body, most: usize) -> Result<Bytes, BodyError> {
    read_within(body, most, WITHIN).await
}

async fn read_within(body: Body, most: usize, within: Duration) -> Result<Bytes, BodyError> {
    if body.size_hint().lower() > most as u64 {
        return Err(BodyError::TooLong(most));
    }
    match tokio::time::timeout(within, collect(body, most)).await {
        Ok(read) => read,
        Err(_) => Err(BodyError::TooSlow),
    }
}

/// Copies what comes: a piece of one byte would otherwise hold the whole buffer into which it was read.
async fn collect(body: Body, most: usize) -> Result<Bytes, BodyError> {
    let mut pieces = body.into_data_stream();
    let mut read = Vec::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| BodyError::Broken(error.to_string()))?;
        if read.len() + piece.len() > most {
            return Err(BodyError::TooLong(most));
        }
        read.extend_from_slice(&piece);
    }
    Ok(read.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream;
    use std::convert::Infallible;

    fn pieces(count: usize, size: usize) -> Body {
        Body::from_stream(stream::iter((0..count).map(move |_| Ok::<_, Infallible>(vec![b'a'; size]))))
    }

    #[tokio::test]
    async fn bodies_are_read_within_their_limits() {
        assert_eq!(read(pieces(3, 2), 6).await.unwrap(), "aaaaaa");
        assert_eq!(read(pieces(3, 2), 5).await, Err(BodyError::TooLong(5)));
        assert_eq!(read(Body::from("aaaaaa"), 5).await, Err(BodyError::TooLong(5)), "it says so itself");
        let endless = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
        assert_eq!(read_within(endless, 5, Duration::from_millis(10)).await, Err(BodyError::TooSlow));
        let broken = Body::from_stream(stream::iter([Err::<Bytes, _>(std::io::Error::other("cut"))]));
        assert_eq!(read(broken, 5).await, Err(BodyError::Broken("cut".into())));
    }
}
