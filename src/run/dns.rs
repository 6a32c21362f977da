//! One question to a name server, over TCP (RFC 1035, 4.1 and 4.2.2; RFC 7766).

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::model::behaviour::Reply;

/// The question: the address of `localhost`, which a server knows by itself (RFC 6761, 6.3). An id,
/// the flag RD, one question; the name, type A, class IN.
const QUESTION: &[u8] =
    b"\x6e\x72\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x09localhost\x00\x00\x01\x00\x01";

/// Bytes of a message before its question.
const HEADER: usize = 12;

/// Whether a port is one of a name server: 53, and what stands for it where that may not be bound.
pub(super) fn is_port(port: u16) -> bool {
    port % 100 == 53
}

/// Asks the question, and reads how it is answered.
///
/// # Errors
/// The connection ends, or what comes is no answer to it.
pub(super) async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<Reply, String> {
    let failed = |error: std::io::Error| error.to_string();
    let length = u16::try_from(QUESTION.len()).unwrap_or_default();
    stream.write_all(&[&length.to_be_bytes(), QUESTION].concat()).await.map_err(failed)?;
    let length = usize::from(stream.read_u16().await.map_err(failed)?);
    let mut header = [0; HEADER];
    if length < HEADER {
        return Err("it speaks no DNS".to_owned());
    }
    stream.read_exact(&mut header).await.map_err(failed)?;
    answer(&header).ok_or_else(|| "it speaks no DNS".to_owned())
}

/// The code of an answer and how many records it has; `None` where it is none to our question.
fn answer(header: &[u8; HEADER]) -> Option<Reply> {
    let is_answer = header[..2] == QUESTION[..2] && header[2] & 0x80 != 0;
    let records = u16::from_be_bytes([header[6], header[7]]);
    is_answer.then_some(Reply::Dns { code: header[3] & 0x0f, records })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_its_code_and_its_records() {
        let mut header = *b"\x6e\x72\x85\x80\x00\x01\x00\x02\x00\x00\x00\x00";
        assert_eq!(answer(&header), Some(Reply::Dns { code: 0, records: 2 }));
        header[3] = 0x82;
        assert_eq!(answer(&header), Some(Reply::Dns { code: 2, records: 2 }));
        header[2] = 0x05;
        assert_eq!(answer(&header), None, "a question of its own");
        assert_eq!(answer(b"HTTP/1.1 400"), None);
    }

    #[test]
    fn the_ports_of_name_servers() {
        assert!([53, 1053, 5353, 8053].into_iter().all(is_port));
        assert!(![80, 5300, 8080].into_iter().any(is_port));
    }

    #[tokio::test]
    async fn a_question_is_asked_and_answered() {
        let (ours, mut theirs) = tokio::io::duplex(256);
        let server = async {
            let mut asked = vec![0; usize::from(theirs.read_u16().await.expect("a length"))];
            theirs.read_exact(&mut asked).await.expect("a question");
            assert_eq!(asked, QUESTION);
            let answer = b"\x00\x0c\x6e\x72\x85\x80\x00\x01\x00\x01\x00\x00\x00\x00";
            theirs.write_all(answer).await.expect("it is read");
        };
        let (reply, ()) = tokio::join!(ask(ours), server);
        assert_eq!(reply, Ok(Reply::Dns { code: 0, records: 1 }));
    }
}
