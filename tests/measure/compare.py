"""Computes the digests of spec/vectors/measurements.json with other implementations."""

import hashlib
import json
import struct
import sys
import tempfile
import uuid
from pathlib import Path

from sevsnpmeasure import guest
from sevsnpmeasure.sev_mode import SevMode
from sevsnpmeasure.vcpu_types import CPU_SIGS
from sevsnpmeasure.vmm_types import VMMType

compared = 0
wrong = []


def expect(name, expected, found):
    global compared
    compared += 1
    if expected != found:
        wrong.append(f"{name}: {found}, expected {expected}")


def sev(vectors, folder):
    files = {}
    for name in ("firmware", "kernel", "initrd"):
        path = Path(folder, name)
        path.write_bytes(bytes.fromhex(vectors[name]))
        files[name] = str(path)
    Path(folder, "svsm").write_bytes(bytes.fromhex(vectors["svsm"]["image"]))
    line = vectors["command_line"]

    def digest(mode, count, model, kernel, features, vmm="QEMU", svsm=None, variables=0):
        return guest.calc_launch_digest(
            mode, count, CPU_SIGS[model], files["firmware"],
            files["kernel"] if kernel else None, files["initrd"] if kernel else None,
            line if kernel else None, features, "", VMMType[vmm], False, svsm, variables,
        ).hex()

    for number, one in enumerate(vectors["snp"]):
        found = digest(SevMode.SEV_SNP, one["processors"], one["model"], one["kernel"], one["features"], one["vmm"])
        expect(f"snp {number}", one["digest"], found)
    old = vectors["sev"]
    expect("sev", old["sev"], digest(SevMode.SEV, 1, old["model"], True, 0))
    expect("sev-es", old["sev_es"], digest(SevMode.SEV_ES, old["processors"], old["model"], True, 0))
    for one in vectors["svsm"]["digests"]:
        found = digest(SevMode.SEV_SNP_SVSM, one["processors"], one["model"], False, 0,
                       svsm=str(Path(folder, "svsm")), variables=vectors["svsm"]["variables"])
        expect(f"svsm {one['processors']}", one["digest"], found)


def mrtd(image, page_by_page):
    """Intel TDX Module ABI, TDH.MEM.PAGE.ADD and TDH.MR.EXTEND."""
    wanted = uuid.UUID("e47a6535-984a-4798-865e-4685a7bf8ec2").bytes_le
    at = image.rindex(wanted)
    (from_end,) = struct.unpack_from("<I", image, at - 2 - 4)
    start = len(image) - from_end
    assert image[start:start + 4] == b"TDVF"
    (count,) = struct.unpack_from("<I", image, start + 12)
    digest = hashlib.sha384()

    def step(name, address):
        digest.update(name.ljust(16, b"\0") + struct.pack("<Q", address) + bytes(104))

    for number in range(count):
        section = struct.unpack_from("<IIQQII", image, start + 16 + 32 * number)
        offset, length, address, size, _, attributes = section
        contents = image[offset:offset + length].ljust(size, b"\0")

        def add(page):
            if not attributes & 2:
                step(b"MEM.PAGE.ADD", address + page)

        def extend(page):
            if attributes & 1:
                for piece in range(page, page + 4096, 256):
                    step(b"MR.EXTEND", address + piece)
                    digest.update(contents[piece:piece + 256])

        passes = [[add, extend]] if page_by_page else [[add], [extend]]
        for operations in passes:
            for page in range(0, size, 4096):
                for operation in operations:
                    operation(page)
    return digest.hexdigest()


def sections(image):
    (header,) = struct.unpack_from("<I", image, 0x3C)
    count, optional = struct.unpack_from("<H", image, header + 6)[0], struct.unpack_from("<H", image, header + 20)[0]
    found = {}
    for number in range(count):
        at = header + 24 + optional + 40 * number
        name = image[at:at + 8].rstrip(b"\0").decode()
        size, _, length, start = struct.unpack_from("<IIII", image, at + 8)
        found[name] = image[start:start + length][:size].ljust(size, b"\0")
    return found


def authenticode(image):
    """Of an image whose sections follow each other in the file, without a signature."""
    (header,) = struct.unpack_from("<I", image, 0x3C)
    checksum, certificates = header + 24 + 64, header + 24 + 144
    return hashlib.sha256(image[:checksum] + image[checksum + 4:certificates] + image[certificates + 8:]).digest()


def replay(digests):
    value = bytes(32)
    for digest in digests:
        value = hashlib.sha256(value + digest).digest()
    return value.hex()


def unified(vector):
    image = bytes.fromhex(vector["image"])
    parts = sections(image)
    hashed = lambda data: hashlib.sha256(data).digest()
    outer, inner = authenticode(image), authenticode(parts[".linux"])
    action, separator = hashed(b"Calling EFI Application from Boot Option"), hashed(bytes(4))
    expect("pcr4 direct", vector["pcr4_direct"], replay([outer, action, separator, inner]))
    expect("pcr4 disk", vector["pcr4_system_partition"], replay([action, separator, outer, inner]))
    line = (parts[".cmdline"].decode() + "\0").encode("utf-16-le")
    expect("pcr9", vector["pcr9"], replay([hashed(line), hashed(parts[".initrd"])]))
    order = [".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".splash", ".dtb", ".uname", ".sbat", ".pcrpkey"]
    for stub, left_out in (("252", (".uname", ".sbat")), ("257", ())):
        names = [name for name in order if name in parts and name not in left_out]
        events = [event for name in names for event in (hashed(name.encode() + b"\0"), hashed(parts[name]))]
        expect(f"pcr11 {stub}", vector[f"pcr11_stub_{stub}"], replay(events))


def main():
    vectors = json.loads(Path(sys.argv[1]).read_text())
    with tempfile.TemporaryDirectory() as folder:
        sev(vectors, folder)
    image = bytes.fromhex(vectors["firmware"])
    expect("mrtd page by page", vectors["tdx"]["mrtd_page_by_page"], mrtd(image, True))
    expect("mrtd section by section", vectors["tdx"]["mrtd_section_by_section"], mrtd(image, False))
    unified(vectors["unified_kernel"])
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"measurements: {compared} compared, {len(wrong)} differ")
    return 1 if wrong else 0


sys.exit(main())
