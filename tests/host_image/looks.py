"""What is in a booted host, and in its image: programs that are run there, and print JSON."""

# Of the digests it takes the one that costs an emulated processor least, on two of them.
#
# Every file, folder and link that is not on the partition, in memory below /run, or the kernel's: its kind, owner and
# rights, and what is in it. What is mounted is told apart, since only what is known may be.
FILES = r"""
import concurrent.futures, hashlib, json, os, stat
mounts = {}
for line in open("/proc/self/mountinfo"):
    words = line.split()
    mounts[words[4].encode().decode("unicode_escape")] = words[words.index("-") + 1]
found, regular = {}, []
def look(path):
    said = os.lstat(path)
    told = [oct(said.st_mode), said.st_uid, said.st_gid]
    if stat.S_ISREG(said.st_mode):
        regular.append(path)
    elif stat.S_ISLNK(said.st_mode):
        told.append(os.readlink(path))
    found[path] = told
    if stat.S_ISDIR(said.st_mode):
        for name in os.listdir(path):
            below = os.path.join(path, name)
            if below not in mounts and below != "/var/log":
                look(below)
def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()
look("/")
with concurrent.futures.ThreadPoolExecutor(2) as both:
    for path, told in zip(regular, both.map(digest, regular)):
        found[path].append(told)
print(json.dumps({"files": found, "mounts": mounts}))
"""
