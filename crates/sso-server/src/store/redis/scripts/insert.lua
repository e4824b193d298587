-- Store::insert.
local id, version, sealed, seen, keep, epoch, cookie, old, user = unpack(ARGV, 3)
local s = key('s', id)
local was = redis.call('HGET', s, 'sealed')
-- Each call seals anew: this one runs again.
if was == sealed then return { 'done' } end
if was or taken(cookie, id) then return { 'conflict' } end
redis.call('HSET', s, 'version', version, 'sealed', sealed, 'seen', seen, 'keep', keep, 'epoch', epoch,
  'cookie', cookie, 'old', old, 'user', user)
redis.call('SET', key('c', cookie), id, 'PX', lifetime(keep))
redis.call('DEL', key('ls', id), key('sl', id))
keep_session(id, keep)
return { 'done' }
