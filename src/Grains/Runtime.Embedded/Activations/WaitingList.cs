using EmrMarket.Grains.Embedded.Calls;

namespace EmrMarket.Grains.Embedded.Activations;

/// <summary>Messages that an activation may not begin yet, oldest first.</summary>
internal struct WaitingList
{
    private Message? _first;
    private Message? _last;
    private int _overtakers;

    internal readonly bool IsEmpty => _first is null;

    internal void Add(Message message)
    {
        if (_last is null)
        {
            _first = message;
        }
        else
        {
            _last.NextWaiting = message;
        }

        _last = message;
        _overtakers += MayOvertake(message) ? 1 : 0;
    }

    /// <summary>Takes the oldest message that may begin.</summary>
    /// <param name="admits">Whether a message may begin now.</param>
    /// <param name="looksAtAll">Whether one that is not marked as interleaving may be admitted although an older one is not.</param>
    internal Message? TakeFirst(Func<Message, bool> admits, bool looksAtAll)
    {
        Message? before = null;
        for (var message = _first; message is not null; before = message, message = message.NextWaiting)
        {
            if (admits(message))
            {
                Remove(message, before);
                return message;
            }

            if (!looksAtAll && _overtakers == 0)
            {
                return null;
            }
        }

        return null;
    }

    internal Message? TakeFirst() => TakeFirst(static _ => true, looksAtAll: false);

    private static bool MayOvertake(Message message) => message.AlwaysInterleaves || message.IsReadOnly;

    private void Remove(Message message, Message? before)
    {
        if (before is null)
        {
            _first = message.NextWaiting;
        }
        else
        {
            before.NextWaiting = message.NextWaiting;
        }

        if (ReferenceEquals(_last, message))
        {
            _last = before;
        }

        message.NextWaiting = null;
        _overtakers -= MayOvertake(message) ? 1 : 0;
    }
}
