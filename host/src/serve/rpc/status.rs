//! A failure as gRPC has it: a status, and a `portolan.v1.Problem` among its details (`google.rpc.Status`).

use portolan_oci::Descriptor;
use prost::Message;
use tonic::{Code as Grpc, Status};

use super::proto;
use crate::error::Code;
use crate::serve::problem::Problem;

/// `google.rpc.Status`, which is what the trailer `grpc-status-details-bin` holds.
#[derive(Clone, PartialEq, Message)]
struct Details {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<prost_types::Any>,
}

impl From<Problem> for Status {
    fn from(problem: Problem) -> Self {
        let code = match problem.code {
            Code::NotFound => Grpc::NotFound,
            Code::Denied | Code::Forbidden | Code::Unauthorized => Grpc::PermissionDenied,
            Code::InvalidReference => Grpc::InvalidArgument,
            Code::RateLimited | Code::Budget | Code::TooLarge => Grpc::ResourceExhausted,
            Code::DigestMismatch => Grpc::DataLoss,
            Code::Malformed | Code::Conflict => Grpc::FailedPrecondition,
            Code::Unsupported => Grpc::Unimplemented,
            Code::Unavailable | Code::Offline => Grpc::Unavailable,
            _ => Grpc::Unknown,
        };
        let told = proto::Problem {
            code: problem.code.as_str().to_owned(),
            reference: problem.reference,
            retry_after: problem.retry_after.unwrap_or_default(),
            hint: problem.hint.unwrap_or_default(),
        };
        let detail = prost_types::Any {
            type_url: "type.googleapis.com/portolan.v1.Problem".to_owned(),
            value: told.encode_to_vec(),
        };
        let details = Details { code: code.into(), message: problem.message.clone(), details: vec![detail] };
        Status::with_details(code, problem.message, details.encode_to_vec().into())
    }
}

/// A descriptor on the wire.
pub(super) fn wire(descriptor: &Descriptor) -> proto::Descriptor {
    proto::Descriptor {
        media_type: descriptor.media_type.clone(),
        digest: descriptor.digest.to_string(),
        size: i64::try_from(descriptor.size).unwrap_or(i64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_reads() {
        let problem = Problem::new(Code::RateLimited, "r.example/a:1", "too many").retry_after(7).hint("wait");
        let status = Status::from(problem);
        assert_eq!((status.code(), status.message()), (Grpc::ResourceExhausted, "too many"));
        let details = Details::decode(status.details()).unwrap();
        assert_eq!(details.code, i32::from(Grpc::ResourceExhausted));
        let told = proto::Problem::decode(&*details.details[0].value).unwrap();
        let expected = proto::Problem {
            code: "rate-limited".into(),
            reference: "r.example/a:1".into(),
            retry_after: 7,
            hint: "wait".into(),
        };
        assert_eq!(told, expected);
    }
}
