-- Store::resolve: the link's record, when it made its last call, and its session, in one round trip.
local l = redis.call('HMGET', key('link', ARGV[3]), 'session', 'sealed', 'called')
local session = l[1] and answer(l[1])
return session and { l[2], l[3] or '0', session }
