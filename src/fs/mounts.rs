//! Mount options that keep locks on one machine.
//!
//! With these, `flock` succeeds, and a run on another machine gets the same lock at the same time.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;

use rustix::fs::{major, minor};

/// Each file system of more than one machine, with the options that keep locks on each.
///
/// - <https://man7.org/linux/man-pages/man5/nfs.5.html>: `local_lock` and `nolock`. The kernel shows them only where they apply:
///   not for NFS 4.
/// - <https://doc.lustre.org/lustre_manual.xhtml>: `localflock`.
/// - <https://man7.org/linux/man-pages/man8/mount.cifs.8.html>: `nobrl`.
/// - <https://docs.kernel.org/filesystems/ocfs2.html>, <https://docs.kernel.org/filesystems/gfs2.html>: `localflocks`.
const LOCAL_LOCKS: [(&str, &[&str]); 7] = [
    ("nfs", &["nolock", "local_lock=all", "local_lock=flock"]),
    ("nfs4", &["local_lock=all", "local_lock=flock"]),
    ("lustre", &["localflock"]),
    ("cifs", &["nobrl"]),
    ("smb3", &["nobrl"]),
    ("ocfs2", &["localflocks"]),
    ("gfs2", &["localflocks"]),
];

/// How much of the list of mounts is read. A line is at most a few KiB long.
const MOUNTINFO_BYTES: u64 = 16 << 20;

/// The option that the file system of `file` is mounted with, if it keeps locks on this machine. `None` also if the mounts
/// cannot be read, as without `/proc`.
pub(super) fn option_for_local_locks(file: &File) -> Option<&'static str> {
    let device = file.metadata().ok()?.dev();
    let mut mounts = Vec::new();
    let mountinfo = File::open("/proc/self/mountinfo").ok()?;
    let mut mountinfo = mountinfo.take(MOUNTINFO_BYTES);
    mountinfo.read_to_end(&mut mounts).ok()?;
    let device = format!("{}:{}", major(device), minor(device));
    find(&String::from_utf8_lossy(&mounts), &device)
}

/// Finds the option in the content of `/proc/self/mountinfo`.
///
/// <https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html>
fn find(mountinfo: &str, device: &str) -> Option<&'static str> {
    mountinfo.lines().find_map(|line| {
        let mut fields = line.split(' ');
        if fields.nth(2) != Some(device) {
            return None;
        }
        // Root, mount point, options and optional fields, up to a dash.
        let file_system = fields.skip_while(|field| *field != "-").nth(1)?;
        let (_, options) = LOCAL_LOCKS.iter().find(|(name, _)| *name == file_system)?;
        // These belong to the file system, and are the last field.
        let (_, mounted_with) = line.rsplit_once(' ')?;
        let is_set = |option: &&&str| mounted_with.split(',').any(|set| set == **option);
        options.iter().find(is_set).copied()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel shows for mounts of each kind.
    const MOUNTS: &str = r"22 27 0:21 / /proc rw,relatime - proc proc rw
28 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw,errors=remount-ro
60 28 0:45 / /mnt/nfs rw,relatime shared:30 - nfs4 192.168.1.5:/export rw,vers=4.2,rsize=1048576,wsize=1048576,namlen=255,hard,proto=tcp,timeo=600,retrans=2,sec=sys,clientaddr=192.168.1.11,local_lock=none,addr=192.168.1.5
61 28 0:46 / /mnt/data01 rw,relatime shared:31 - nfs 192.26.114.44:/data01 rw,vers=3,rsize=65536,wsize=65536,namlen=255,hard,proto=tcp,timeo=600,retrans=2,sec=sys,mountaddr=192.26.114.44,mountvers=3,mountport=635,mountproto=udp,local_lock=none,addr=192.26.114.44
62 28 0:47 / /data rw,nosuid,relatime shared:32 master:2 - nfs server:/data rw,vers=3,rsize=8192,wsize=8192,namlen=255,hard,nolock,proto=tcp,timeo=600,retrans=2,sec=sys,mountaddr=1.2.3.4,mountvers=3,mountport=635,mountproto=udp,local_lock=all,addr=1.2.3.4
63 28 0:48 / /mnt/samba rw,relatime shared:33 - nfs server:/samba rw,vers=3,hard,proto=tcp,local_lock=flock,addr=1.2.3.4
64 28 0:49 / /mnt/posix rw,relatime shared:34 - nfs server:/posix rw,vers=3,hard,proto=tcp,local_lock=posix,addr=1.2.3.4
65 28 0:50 / /scratch rw,relatime shared:35 - lustre 10.0.2.15@tcp:/lustre rw,flock,user_xattr,lazystatfs
66 28 0:51 / /local rw,relatime shared:36 - lustre 10.0.2.15@tcp:/lustre rw,localflock,lazystatfs
67 28 0:52 / /mnt/media rw,relatime shared:37 - cifs //192.168.1.10/media rw,vers=3.0,cache=strict,uid=0,forceuid,nobrl,mfsymlinks
68 28 0:53 / /mnt/two\040words rw,relatime - cifs //192.168.1.10/two\040words rw,vers=3.0,cache=strict,uid=0
69 28 0:54 / /mnt/nobrl rw,relatime - fuse.sshfs user@host:/nolock rw,user_id=1000,group_id=1000
70 28 253:9 / /cluster rw,relatime shared:38 - ocfs2 /dev/dm-9 rw,_netdev,heartbeat=local,localflocks
";

    #[test]
    fn options_that_keep_locks_on_one_machine() {
        for (device, option) in [
            ("259:2", None),
            ("0:45", None),
            ("0:46", None),
            ("0:47", Some("nolock")),
            ("0:48", Some("local_lock=flock")),
            // Only `flock` matters.
            ("0:49", None),
            ("0:50", None),
            ("0:51", Some("localflock")),
            ("0:52", Some("nobrl")),
            ("0:53", None),
            ("0:54", None),
            ("253:9", Some("localflocks")),
            ("9:99", None),
        ] {
            assert_eq!(find(MOUNTS, device), option, "{device}");
        }
    }

    #[test]
    fn lines_that_are_cut_off() {
        for end in 0..MOUNTS.len() {
            if let Some(beginning) = MOUNTS.get(..end) {
                let line = beginning.lines().next_back().unwrap_or_default();
                let device = line.split(' ').nth(2).unwrap_or_default();
                find(line, device);
            }
        }
        assert_eq!(find("", "0:47"), None);
        assert_eq!(find("62 28 0:47", "0:47"), None);
        assert_eq!(find("62 28 0:47 / /data rw -", "0:47"), None);
        assert_eq!(find("62 28 0:47 / /data rw - nfs", "0:47"), None);
    }

    #[test]
    fn this_machine_has_a_list_of_mounts() {
        // Its temporary folder is on one machine.
        let file = tempfile::tempfile().unwrap();
        assert_eq!(option_for_local_locks(&file), None);
    }
}
