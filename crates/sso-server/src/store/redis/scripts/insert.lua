-- Store::insert, where the session comes with a link also of that.
local id, version, sealed, seen, keep, epoch, cookie, old, user, ends, link, of_link, made = unpack(ARGV, 3)
local s = key('session', id)
local was = redis.call('HGET', s, 'sealed')
-- Each call seals anew: this one runs again.
if was == sealed then return 'done' end
if was or taken(cookie, id) then return 'conflict' end
if link and is_linked(link) then return 'taken' end
redis.call('HSET', s, 'version', version, 'sealed', sealed, 'seen', seen, 'keep', keep, 'epoch', epoch,
  'cookie', cookie, 'old', old, 'user', user)
redis.call('SET', key('cookie', cookie), id, 'PX', lifetime(keep))
redis.call('DEL', key('links', id))
if link then put_link(link, id, of_link, made) end
keep_session(id, keep)
note_end(id, ends, keep)
return 'done'
