-- Store::insert.
local id, version, sealed, seen, keep, epoch, cookie, old, user = unpack(ARGV, 3)
local s = key('s', id)
if redis.call('EXISTS', s) == 1 or taken(cookie, id) then return { 'conflict' } end
redis.call('HSET', s, 'version', version, 'sealed', sealed, 'seen', seen, 'keep', keep, 'epoch', epoch,
  'cookie', cookie, 'old', old, 'user', user)
redis.call('SET', key('c', cookie), id, 'PX', lifetime(keep))
redis.call('DEL', key('ls', id), key('sl', id))
keep_session(id, keep)
return { 'done' }
