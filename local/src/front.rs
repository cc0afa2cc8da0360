//! The front of the functions: cargo-lambda's Runtime API and its HTTP side, and the ports.

use std::{
    fs, io,
    net::{Shutdown, TcpListener, TcpStream},
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use crate::{Guardian, Result, logs::Log, template::Function, tools};

/// How long the front may take to come up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts cargo-lambda as the Runtime API of the functions and the HTTP front of their routes.
pub(crate) fn start(
    guardian: &Guardian,
    log: &Log,
    port: u16,
    functions: &[Function],
) -> Result<Child> {
    let cargo_lambda = tools::cargo_lambda()?;
    let router = tools::home()?.join(format!("router-{port}.toml"));
    let mut routes = String::new();
    for function in functions {
        for route in function.routes.iter().filter(|route| !route.is_default()) {
            routes += &format!(
                "[[watch.router]]\npath = {:?}\nmethods = [{:?}]\nfunction = {:?}\n",
                route.path, route.method, function.binary
            );
        }
    }
    fs::write(&router, routes)
        .map_err(|error| format!("cannot write {}: {error}", router.display()))?;
    let mut command = Command::new(cargo_lambda);
    command
        .args([
            "lambda",
            "watch",
            "--only-lambda-apis",
            "--ignore-changes",
            "--disable-cors",
        ])
        .args([
            "--invoke-address",
            "127.0.0.1",
            "--invoke-port",
            &port.to_string(),
            "--global",
        ])
        .arg(&router)
        .current_dir(tools::workspace());
    let mut process = guardian.spawn(log.receive(&mut command)?)?;
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if let Ok(Some(status)) = process.try_wait() {
            return Err(format!(
                "cargo-lambda ended ({status}): {}",
                log.last_line()
            ));
        }
        if Instant::now() > deadline {
            return Err(format!("cargo-lambda does not answer: {}", log.last_line()));
        }
        thread::sleep(Duration::from_millis(10));
    }
    // Its configuration is read by now.
    let _ = fs::remove_file(router);
    also_on_ipv6(port);
    Ok(process)
}

/// Serves the port on the IPv6 loopback too, where the machine has one: `cargo lambda invoke` asks
/// there, and `localhost` often means it.
fn also_on_ipv6(port: u16) {
    let Ok(listener) = TcpListener::bind(("::1", port)) else {
        return;
    };
    let forward = move |client: TcpStream| {
        let server = TcpStream::connect(("127.0.0.1", port))?;
        let (mut request, mut onward) = (client.try_clone()?, server.try_clone()?);
        thread::spawn(move || {
            let _ = io::copy(&mut request, &mut onward);
            let _ = onward.shutdown(Shutdown::Write);
        });
        let (mut answer, mut back) = (server, client);
        io::copy(&mut answer, &mut back)?;
        back.shutdown(Shutdown::Write)
    };
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            thread::spawn(move || forward(client));
        }
    });
}

/// Makes sure that a port on 127.0.0.1 can be used.
///
/// # Errors
/// Where it is taken.
pub fn wanted_port(port: u16) -> Result<u16> {
    match TcpListener::bind(("127.0.0.1", port)) {
        Ok(_) => Ok(port),
        Err(error) => Err(format!(
            "port {port} on 127.0.0.1 cannot be used: {error}. Stop what uses it, or choose another with --port"
        )),
    }
}

/// A port on 127.0.0.1 that nothing uses.
///
/// # Errors
/// Where there is none.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    listener
        .map(|address| address.port())
        .map_err(|error| format!("no free port: {error}"))
}
