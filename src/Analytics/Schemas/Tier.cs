namespace EmrMarket.Analytics.Schemas;

/// <summary>The sensitivity of an attribute. Its order is that of sensitivity.</summary>
public enum Tier
{
    /// <summary>Leaves the site as it is; the only attributes by which records may be filtered at matching.</summary>
    Public = 0,

    /// <summary>Default ceiling 2 epsilon.</summary>
    Low = 1,

    /// <summary>Default ceiling 1 epsilon.</summary>
    Moderate = 2,

    /// <summary>Default ceiling 0.5 epsilon.</summary>
    Private = 3,
}
