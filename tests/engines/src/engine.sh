# Runs one engine for a test program, as its standard input orders, and answers each order when it is carried out.
# When the input ends, however that came, so does the engine, and its directory is removed.
# Arguments: the directory, the signal that ends the engine in good order, its command.
dir=$1 end=$2
shift 2
engine=
# Nobody may be left to hear an answer. And a group without a parent, in which something is stopped, is hung up.
trap '' PIPE HUP

# What an engine has started must not outlive it: PostgreSQL has a process for each connection.
children() { ps -o pid= --ppid "$engine"; }
all() { for pid in "$engine" $(children); do kill -s "$1" "$pid" 2>/dev/null; done; }
alive() { ps -o stat=,pid= --ppid "$engine" | while read -r stat pid; do case $stat in Z*) ;; *) echo "$pid" ;; esac; done; }
# Kills it as a power cut would: first of all it stops, so that it starts nothing more and says nothing to its clients. In a group that has just
# lost its parent the system wakes what was stopped, which may then start more: so both are done again until nothing is left, for some seconds at most.
kill_all() {
  [ -n "$engine" ] || return 0
  rounds=0
  while kill -s STOP "$engine" 2>/dev/null; pids=$(alive); [ -n "$pids" ] && [ $rounds -lt 100 ]; do
    for pid in $pids; do kill -s KILL "$pid" 2>/dev/null; done
    rounds=$((rounds + 1))
    sleep 0.01
  done
  kill -s KILL "$engine" 2>/dev/null
  wait "$engine" 2>/dev/null
  engine=
}

while read -r order; do
  case $order in
  start)
    "$@" </dev/null >>"$dir/log" 2>&1 &
    engine=$!
    ;;
  stop)
    kill -s "$end" "$engine"
    wait "$engine"
    engine=
    ;;
  kill) kill_all ;;
  pause) all STOP ;;
  resume) all CONT ;;
  esac
  echo done 2>/dev/null
done
kill_all
# PostgreSQL guards its directory by shared memory outside of it, which a kill leaves there.
segment=$(sed -n 's/^ *[0-9]* *//; 7p' "$dir/data/postmaster.pid" 2>/dev/null)
[ -z "$segment" ] || ipcrm -m "$segment" 2>/dev/null
# Once more if something that was just killed still put a file there.
rm -rf "$dir" 2>/dev/null || { sleep 1 && rm -rf "$dir"; }
