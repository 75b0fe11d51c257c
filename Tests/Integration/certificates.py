"""Certificates of a test's own, made by openssl in a folder of the test."""

import subprocess

CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


class Certificates:
    """`root` and what it signs: paths of a certificate and its key, both PEM."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.root, self.root_key = self.new_root("root")

    def _openssl(self, *arguments):
        done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def new_root(self, name):
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        self._openssl("req", "-x509", *CURVE, "-days", 30, "-subj", f"/CN={name}", "-keyout", key,
                      "-out", certificate)
        return certificate, key

    def leaf(self, name, names="", use="serverAuth", days=30, by=None):
        """A certificate; `names` as in DNS:localhost,IP:127.0.0.1; `days` -1: over."""
        root, root_key = by or (self.root, self.root_key)
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        self._openssl("req", "-new", *CURVE, "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        lines = [f"extendedKeyUsage={use}"] + ([f"subjectAltName={names}"] if names else [])
        extensions.write_text("\n".join(lines))
        self._openssl("x509", "-req", "-in", request, "-CA", root, "-CAkey", root_key,
                      "-CAcreateserial", "-days", days, "-extfile", extensions, "-out", certificate)
        key.chmod(0o600)
        return certificate, key

    def server(self, name="server", **options):
        return self.leaf(name, names="DNS:localhost,IP:127.0.0.1", **options)
