//! Traces, as a collector that others wrote has them.

use portolan_tests::collector::{Collector, Span};
use portolan_tests::serving::ask;

use super::{before, cli, registry};

#[test]
fn a_request_is_traced_from_who_asks_to_the_registry() {
    let (cli, registry) = (cli(), registry());
    let collector = Collector::start();
    let mut serving = before(&cli, registry.host(), &format!("--pull * --traces {}", collector.url()));
    let (trace, parent) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let traceparent = format!("00-{trace}-{parent}-01");
    let headers = [("traceparent", traceparent.as_str()), ("Authorization", "Basic Y2k6c2VjcmV0")];
    // Nobody is known by that, so this one goes no further.
    assert_eq!(ask(serving.host(), "GET", "/v2/app/manifests/1.4", &headers, b"").status, 401);
    assert_eq!(ask(serving.host(), "GET", "/v2/app/manifests/1.4", &headers[..1], b"").status, 200);
    serving.signal("TERM");
    assert_eq!(serving.ends(), 0);

    let spans = collector.spans("request", 2);
    assert!(spans.iter().all(|span| span.trace == trace), "{spans:#?}");
    let requests: Vec<_> = spans.iter().filter(|span| span.name == "request").collect();
    assert!(requests.iter().all(|span| span.parent == parent && span.kind == "Server"), "{requests:#?}");
    let is_answered = |span: &&&Span| span.attribute("http.response.status_code") == Some("200");
    let answered = requests.iter().find(is_answered).expect("the one that was answered");
    assert_eq!(answered.attribute("url.path"), Some("/v2/app/manifests/1.4"));

    // A tag is a frontend's business, which asks the registry.
    let run = spans.iter().find(|span| span.name == "run").expect("a run");
    assert_eq!((run.parent.as_str(), run.attribute("portolan.frontend")), (answered.id.as_str(), Some("resolve")));
    let asked: Vec<_> = spans.iter().filter(|span| span.name == "ask").collect();
    assert!(asked.iter().any(|span| span.parent == run.id), "{asked:#?}");
    assert!(asked.iter().any(|span| span.parent == answered.id), "{asked:#?}");
    for span in &asked {
        assert_eq!(
            (span.kind.as_str(), span.attribute("http.request.method").is_some()),
            ("Client", true),
            "{span:#?}"
        );
        assert!(span.attribute("server.address").unwrap().ends_with(registry.host()), "{span:#?}");
    }
    assert!(collector.said().contains("service.name: Str(portolan)"));
    assert!(!collector.said().contains("Y2k6c2VjcmV0"), "what a caller shows is nobody's business");
}

#[test]
fn a_collector_that_is_not_there_is_told_and_nothing_stops() {
    let (cli, registry) = (cli(), registry());
    let cli = cli.variable("OTEL_BSP_SCHEDULE_DELAY", "100");
    let mut serving = before(&cli, registry.host(), "--pull * --traces http://127.0.0.1:1");
    assert_eq!(ask(serving.host(), "GET", "/v2/app/manifests/1.4", &[], b"").status, 200);
    serving.says("BatchSpanProcessor");
    assert_eq!(ask(serving.host(), "GET", "/v2/app/manifests/1.4", &[], b"").status, 200);
    serving.signal("TERM");
    assert_eq!(serving.ends(), 0);

    let said = cli.fails(2, "serve --pull * --traces nonsense://");
    assert!(said.contains("--traces nonsense://") && said.contains("OTLP over gRPC"), "{said}");
}
