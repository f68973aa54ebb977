using System.Globalization;

namespace Orleans;

/// <summary>Why an activation ended.</summary>
public enum DeactivationReasonCode : byte
{
    /// <summary>Not said.</summary>
    None = 0,

    /// <summary>The runtime stops.</summary>
    ShuttingDown = 1,

    /// <summary>The grain could not be built, read its state, or complete OnActivateAsync.</summary>
    ActivationFailed = 2,

    /// <summary>The activation could not be registered (clusters only).</summary>
    DirectoryFailure = 3,

    /// <summary>No call for longer than the collection age.</summary>
    ActivationIdle = 4,

    /// <summary>The activation does not answer (clusters only).</summary>
    ActivationUnresponsive = 5,

    /// <summary>Another activation of the same grain exists (clusters only).</summary>
    DuplicateActivation = 6,

    /// <summary>A caller's interface version does not fit (clusters only).</summary>
    IncompatibleRequest = 7,

    /// <summary>The grain let an exception escape after which its memory cannot be trusted, such as a storage conflict.</summary>
    ApplicationError = 8,

    /// <summary>The grain asked for it.</summary>
    ApplicationRequested = 9,

    /// <summary>The activation moves to another silo (clusters only).</summary>
    Migrating = 10,

    /// <summary>The runtime asked for it.</summary>
    RuntimeRequested = 11,

    /// <summary>Memory is short (clusters only).</summary>
    HighMemoryPressure = 12,
}

/// <summary>Why an activation ended, with details for people; behaviour must not depend on it.</summary>
public readonly struct DeactivationReason
{
    /// <summary>A reason without an exception.</summary>
    public DeactivationReason(DeactivationReasonCode code, string text)
        : this(code, null, text)
    {
    }

    /// <summary>A reason with the exception that led to it, or none.</summary>
    public DeactivationReason(DeactivationReasonCode code, Exception? exception, string text)
    {
        ReasonCode = code;
        Exception = exception;
        Description = text;
    }

    /// <summary>The reason as a code.</summary>
    public DeactivationReasonCode ReasonCode { get; }

    /// <summary>The exception that led to it, if any.</summary>
    public Exception? Exception { get; }

    /// <summary>The reason in words.</summary>
    public string Description { get; }

    /// <inheritdoc/>
    public override string ToString() =>
        Exception is null ? $"{ReasonCode}: {Description}" : $"{ReasonCode}: {Description} Exception: {Exception}";
}

/// <summary>How long an activation of the class may be idle before it is collected.</summary>
[AttributeUsage(AttributeTargets.Class, AllowMultiple = false)]
public class CollectionAgeLimitAttribute : Attribute
{
    private readonly TimeSpan? _period;

    /// <summary>The shortest limit that is honoured: one minute.</summary>
    public static readonly TimeSpan MinAgeLimit = TimeSpan.FromMinutes(1);

    /// <summary>The limit is the sum of <see cref="Days"/>, <see cref="Hours"/> and <see cref="Minutes"/>.</summary>
    public CollectionAgeLimitAttribute()
    {
    }

    /// <summary>The limit in the syntax of <see cref="TimeSpan.Parse(string, IFormatProvider)"/>, for example "00:10:00".</summary>
    public CollectionAgeLimitAttribute(string inactivityPeriod) => _period = TimeSpan.Parse(inactivityPeriod, CultureInfo.InvariantCulture);

    /// <summary>Days of idleness.</summary>
    public double Days { get; set; }

    /// <summary>Hours of idleness.</summary>
    public double Hours { get; set; }

    /// <summary>Minutes of idleness.</summary>
    public double Minutes { get; set; }

    /// <summary>Never collected while idle.</summary>
    public bool AlwaysActive { get; set; }

    /// <summary>The limit that holds.</summary>
    public TimeSpan AgeLimit
    {
        get
        {
            if (_period is { } period)
            {
                return period;
            }

            var sum = AlwaysActive
                ? TimeSpan.FromDays(short.MaxValue)
                : TimeSpan.FromDays(Days) + TimeSpan.FromHours(Hours) + TimeSpan.FromMinutes(Minutes);
            return sum < MinAgeLimit ? MinAgeLimit : sum;
        }
    }
}

/// <summary>Activations of the class are never collected while idle.</summary>
[AttributeUsage(AttributeTargets.Class, AllowMultiple = false)]
public class KeepAliveAttribute : Attribute;
