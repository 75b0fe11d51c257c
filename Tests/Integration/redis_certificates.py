"""Certificates of a test's own for redis-servers and their clients, made by the openssl command."""

import subprocess


def openssl(*words):
    result = subprocess.run(["openssl", *[str(word) for word in words]], capture_output=True,
                            text=True)
    assert result.returncode == 0, result.stderr


class Certificates:
    """A root, and what it signs, in a directory."""

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.root = directory / "root.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-days", 1, "-subj", "/CN=root", "-keyout", directory / "root.key", "-out",
                self.root)

    def leaf(self, name, names="", use="serverAuth,clientAuth"):
        """(certificate, key) with subject alternative names such as `DNS:a,IP:127.0.0.1`."""
        certificate, key = self.directory / f"{name}.pem", self.directory / f"{name}.key"
        request, extensions = self.directory / f"{name}.csr", self.directory / f"{name}.ext"
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        extensions.write_text(f"extendedKeyUsage={use}\n"
                              + (f"subjectAltName={names}\n" if names else ""))
        openssl("x509", "-req", "-in", request, "-CA", self.root, "-CAkey",
                self.directory / "root.key", "-CAcreateserial", "-days", 1, "-extfile", extensions,
                "-out", certificate)
        return certificate, key

    def server_options(self, name="redis", names="DNS:localhost,IP:127.0.0.1", clients="no"):
        """redis-server's options for TLS, but for the port."""
        certificate, key = self.leaf(name, names)
        return ["--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file",
                self.root, "--tls-auth-clients", clients]
