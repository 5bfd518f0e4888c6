"""What is in a booted host, and in its image: programs that are run there, and print JSON."""

# Every file, folder and link that is not on the partition, in memory below /run, or the kernel's: its kind, owner and
# rights, and what is in it. What is mounted is told apart, since only what is known may be.
FILES = r"""
import hashlib, json, os, stat
mounts = {}
for line in open("/proc/self/mountinfo"):
    words = line.split()
    mounts[words[4].encode().decode("unicode_escape")] = words[words.index("-") + 1]
found = {}
def look(path):
    said = os.lstat(path)
    told = [oct(said.st_mode), said.st_uid, said.st_gid]
    if stat.S_ISREG(said.st_mode):
        with open(path, "rb") as file:
            told.append(hashlib.file_digest(file, "sha256").hexdigest())
    elif stat.S_ISLNK(said.st_mode):
        told.append(os.readlink(path))
    found[path] = told
    if stat.S_ISDIR(said.st_mode):
        for name in os.listdir(path):
            below = os.path.join(path, name)
            if below not in mounts and below != "/var/log":
                look(below)
look("/")
print(json.dumps({"files": found, "mounts": mounts}))
"""
