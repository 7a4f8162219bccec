//! A balancer: Debian's nginx, in front of servers that speak HTTP.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::server::Server;

/// One in front of these, in turn; who does not answer is passed by, and another one is asked the same. Its files are in
/// `folder`.
pub fn balance(folder: &Path, servers: &[&str]) -> Server {
    Server::launch("Debian's package nginx", |port| {
        let servers = servers.iter().fold(String::new(), |mut text, server| {
            let _ = write!(text, "server {server} max_fails=1 fail_timeout=5s; ");
            text
        });
        let text = format!(
            "daemon off; master_process off; user root; error_log stderr crit; pid {folder}/pid;\n\
             events {{ worker_connections 1024; }}\n\
             http {{\n access_log off; client_body_temp_path {folder}; proxy_temp_path {folder};\n\
             fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};\n\
             upstream gateways {{ {servers}keepalive 16; }}\n\
             server {{\n listen 127.0.0.1:{port}; client_max_body_size 0;\n\
             location / {{\n proxy_pass http://gateways; proxy_http_version 1.1; proxy_set_header Connection '';\n\
             proxy_set_header Host $http_host; proxy_next_upstream error timeout http_502 http_503 non_idempotent;\n\
             }} }} }}\n",
            folder = folder.display()
        );
        let config = folder.join("nginx.conf");
        fs::write(&config, text).expect("a configuration");
        let mut command = Command::new("nginx");
        command.args(["-e", "stderr", "-p"]).arg(folder).arg("-c").arg(config);
        command
    })
}
