# One static binary and nothing else: no shell, no libraries. `testbed/image` builds the binary and this image.
# By hand: cargo build --release --target x86_64-unknown-linux-gnu with RUSTFLAGS="-C target-feature=+crt-static", then give the
# folder of the binary as the build's context.
FROM scratch
COPY --chmod=755 aldis /aldis
USER 65532:65532
ENTRYPOINT ["/aldis"]
